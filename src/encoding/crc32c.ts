/**
 * CRC-32C (Castagnoli, reflected 0x82f63b78) of bytes[start … end), eight bytes per step ("slicing by 8", Kounavis and
 * Berry 2005). `seed` is the checksum of what came before.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  let crc = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = crc ^ (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
    crc =
      TABLE[1792 + (low & 255)] ^
      TABLE[1536 + ((low >>> 8) & 255)] ^
      TABLE[1280 + ((low >>> 16) & 255)] ^
      TABLE[1024 + (low >>> 24)] ^
      TABLE[768 + bytes[at + 4]] ^
      TABLE[512 + bytes[at + 5]] ^
      TABLE[256 + bytes[at + 6]] ^
      TABLE[bytes[at + 7]];
  }
  for (; at < end; at++) crc = TABLE[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Entry 256·k + b: the checksum of byte b followed by k zero bytes. */
const TABLE = makeTable();

function makeTable(): Int32Array {
  const table = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    table[byte] = crc;
  }
  for (let i = 256; i < table.length; i++) table[i] = table[table[i - 256] & 255] ^ (table[i - 256] >>> 8);
  return table;
}
