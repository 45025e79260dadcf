import { crc32 } from 'node:zlib';

const CHECK_BYTES = 4;

/**
 * A value as it lies in a cache that nobody trusts:
 *
 *     crc32 of key and value 4, big endian | value
 */
export function frame(key: string, value: Uint8Array): Uint8Array {
  const framed = Buffer.alloc(CHECK_BYTES + value.length);
  framed.writeUInt32BE(checksum(key, value), 0);
  framed.set(value, CHECK_BYTES);
  return framed;
}

/** Undefined when it is not what was framed under this key. The value is a view. */
export function unframe(key: string, framed: Uint8Array | undefined): Uint8Array | undefined {
  if (!framed || framed.length < CHECK_BYTES) return undefined;
  const value = framed.subarray(CHECK_BYTES);
  const expected = new DataView(framed.buffer, framed.byteOffset).getUint32(0);
  return checksum(key, value) === expected ? value : undefined;
}

function checksum(key: string, value: Uint8Array): number {
  return crc32(value, crc32(key));
}
