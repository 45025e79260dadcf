// Page 0, in bytes. Everything below 1024 stays empty, so that address 0 means none.
//
//   1024   the event under way (event.ts)
//   1280   buffers: address u32, capacity u32 each (buffers.ts)
//   1536   free lists of label entries by size class, u32 each (label-arena.ts)
//   2048   CRC-32C table, 8 × 256 × u32 (crc32c.ts)
//  10240   powers of ten, 16 × f64 (known-body.ts)
//  10368   end

export const EVENT: u32 = 1024;
export const BUFFERS: u32 = 1280;
export const LABEL_CLASSES: u32 = 1536;
export const CRC_TABLE: u32 = 2048;
export const POWERS: u32 = 10240;
