/** Orders two canonical label sets as `compareLabels`: pair by pair, name then value, as bytes; the shorter first. */
export function compareLabelBytes(a: Uint8Array, b: Uint8Array): number {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    // Past tag and length of the pair.
    i = skipLength(a, i + 1);
    j = skipLength(b, j + 1);
    for (let text = 0; text < 2; text++) {
      const aStart = skipLength(a, i + 1);
      const bStart = skipLength(b, j + 1);
      const aEnd = aStart + lengthAt(a, i + 1);
      const bEnd = bStart + lengthAt(b, j + 1);
      const order = compareRanges(a, aStart, aEnd, b, bStart, bEnd);
      if (order !== 0) return order;
      i = aEnd;
      j = bEnd;
    }
  }
  return a.length - i - (b.length - j);
}

function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let k = 0; k < length; k++) {
    const order = a[aStart + k] - b[bStart + k];
    if (order !== 0) return order;
  }
  return aEnd - aStart - (bEnd - bStart);
}

function skipLength(bytes: Uint8Array, at: number): number {
  while (bytes[at] >= 128) at++;
  return at + 1;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) return value;
  }
}
