// Closed chunks waiting to be written, in the format of chunks_head/ (drawing in plain-chunk.ts).

import { CLOSED, bufferAt, bufferCapacity, ensureBuffer } from './buffers';
import { putUvarint, storeBe64 } from './bytes';
import { crc32c } from './crc32c';
import { entryClosed, entryWalRef, setEntryClosed } from './label-arena';
import { giveBlocks, takeNode } from './pools';
import { entryOf, lastTime, mintOf } from './record';
import { chunkSize, copyChunk, newestBlock, resetChunk } from './xor';

/** 240 samples of 145 bits, header and checksum, rounded up. */
const CHUNK_MAX: u32 = 8192;
const XOR: u8 = 1;

let pending: u32 = 0;
let limit: u32 = 0;
let sequence: u32 = 0;
let offset: u32 = 0;

@inline export function closedReady(): bool {
  return pending < limit;
}

/** Makes room for one more chunk; false when memory is full. */
export function growClosed(): bool {
  if (ensureBuffer(CLOSED, pending + 2 * CHUNK_MAX, pending) == 0) return false;
  limit = bufferCapacity(CLOSED) - CHUNK_MAX;
  return true;
}

export function closedPending(): u32 {
  return pending;
}

export function setPosition(fileSequence: u32, fileOffset: u32): void {
  sequence = fileSequence;
  offset = fileOffset;
}

/** Forgets the bytes; they stay readable at bufferAt(CLOSED) until the next chunk. */
export function takeClosed(): u32 {
  let length = pending;
  pending = 0;
  return length;
}

/** Closes the chunk of a record that has samples; `closedReady` and `poolsReady` held. */
export function closeChunk(rec: u32): void {
  let start = bufferAt(CLOSED) + pending;
  let entry = entryOf(rec);
  let size = chunkSize(rec);
  storeBe64(start, entryWalRef(entry));
  storeBe64(start + 8, mintOf(rec) as u64);
  storeBe64(start + 16, lastTime(rec) as u64);
  store<u8>(start, XOR, 24);
  let p = putUvarint(start + 25, size as u64);
  copyChunk(rec, p);
  p += size;
  store<u32>(p, bswap<u32>(crc32c(start, p - start, 0)));
  let ref = ((sequence as u64) << 32) | (offset as u64);
  let length = p + 4 - start;
  pending += length;
  offset += length;
  giveBlocks(newestBlock(rec));
  resetChunk(rec);
  setEntryClosed(entry, takeNode(mintOf(rec), lastTime(rec), ref, entryClosed(entry)));
}
