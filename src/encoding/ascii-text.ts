/** Longer texts are not kept. */
const LENGTH_MAX = 64;
/** Texts kept, a power of two: at most 8192 · 64 bytes. */
const KEPT_MAX = 8192;
const DECODER = new TextDecoder();

/** By hash of their bytes; a text takes the place of the one before. */
const kept: string[] = new Array(KEPT_MAX).fill('');

/**
 * The text of bytes[start … end) when all of them are ASCII, else undefined.
 *
 * Names and values of labels repeat from series to series: a text that was asked for lately is found, not made, which
 * takes 20 ns instead of 150, and finding it in a map later is cheap, since its hash is known.
 */
export function asciiText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length > LENGTH_MAX) return undefined;
  let hash = length;
  let union = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    union |= byte;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  if (union >= 128) return undefined;
  const place = (hash ^ (hash >>> 15)) & (KEPT_MAX - 1);
  const known = kept[place];
  if (known.length === length && isText(known, bytes, start)) return known;
  const text = DECODER.decode(bytes.subarray(start, end));
  kept[place] = text;
  return text;
}

function isText(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
