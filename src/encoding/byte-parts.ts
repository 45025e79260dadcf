/** Bytes in one piece, or in the pieces they came in, in order: a body from a socket needs not be put together to be read. */
export type ByteParts = Uint8Array | readonly Uint8Array[];

export function partsOf(bytes: ByteParts): readonly Uint8Array[] {
  return bytes instanceof Uint8Array ? [bytes] : bytes;
}

export function partsLength(bytes: ByteParts): number {
  if (bytes instanceof Uint8Array) return bytes.length;
  let length = 0;
  for (const part of bytes) length += part.length;
  return length;
}

/** In one piece; the same array when it is one already. */
export function joinParts(bytes: ByteParts): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  return bytes.length === 1 ? bytes[0] : Buffer.concat(bytes);
}
