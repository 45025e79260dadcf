/** Orders texts so that runs of digits count as numbers: `a2` before `a10`. */
export function compareNatural(a: string, b: string): number {
  if (a === b) return 0;
  const left = chunksOf(a);
  const right = chunksOf(b);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] === right[i]) continue;
    const bothNumbers = isDigit(left[i]) && isDigit(right[i]);
    if (bothNumbers && BigInt(left[i]) !== BigInt(right[i]))
      return BigInt(left[i]) < BigInt(right[i]) ? -1 : 1;
    if (bothNumbers) return left[i].length - right[i].length;
    return left[i] < right[i] ? -1 : 1;
  }
  return left.length - right.length;
}

function chunksOf(text: string): readonly string[] {
  return text.match(/\d+|\D+/g) ?? [];
}

function isDigit(chunk: string): boolean {
  return chunk >= '0' && chunk < ':';
}
