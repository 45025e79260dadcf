/**
 * CRC-32C (Castagnoli, reflected 0x82f63b78) of bytes[start … end), eight bytes per step ("slicing by 8", Kounavis and
 * Berry 2005). `seed` is the checksum of what came before.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  if (end - start >= VIEWED_BYTES && end <= bytes.length) {
    const { byteOffset } = bytes;
    return crc32cOfView(viewOf(bytes.buffer), byteOffset + start, byteOffset + end, seed);
  }
  let crc = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) crc = eightMore(crc ^ wordAt(bytes, at), wordAt(bytes, at + 4));
  for (; at < end; at++) crc = TABLE[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The same of the bytes start … end of a view, for those who keep one: words are loaded, 0.9 ns per byte instead of 1.2. */
export function crc32cOfView(view: DataView, start: number, end: number, seed = 0): number {
  let crc = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) crc = eightMore(crc ^ view.getInt32(at, true), view.getInt32(at + 4, true));
  for (; at < end; at++) crc = TABLE[(crc ^ view.getUint8(at)) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

function eightMore(low: number, high: number): number {
  return (
    TABLE[1792 + (low & 255)] ^
    TABLE[1536 + ((low >>> 8) & 255)] ^
    TABLE[1280 + ((low >>> 16) & 255)] ^
    TABLE[1024 + (low >>> 24)] ^
    TABLE[768 + (high & 255)] ^
    TABLE[512 + ((high >>> 8) & 255)] ^
    TABLE[256 + ((high >>> 16) & 255)] ^
    TABLE[high >>> 24]
  );
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** For less a view is not worth while. */
const VIEWED_BYTES = 128;
/** A view of a larger buffer is not kept, since that would keep the buffer. */
const KEPT_BUFFER_BYTES = 2 * 1024 * 1024;
let kept = new DataView(new ArrayBuffer(0));

/** Mostly that of the buffer asked for last. */
function viewOf(buffer: ArrayBufferLike): DataView {
  if (kept.buffer === buffer) return kept;
  const view = new DataView(buffer);
  if (buffer.byteLength <= KEPT_BUFFER_BYTES) kept = view as DataView<ArrayBuffer>;
  return view;
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
