import { crc32 } from 'node:zlib';
import { wasmBase64 } from './gen/scrape.ts';
import { memoryFull } from './snappy-fault.ts';
import { compileWasm, instantiateWasm } from './wasm-module.ts';

/** What `assembly/entries/scrape.ts` exports. */
interface ScrapeExports {
  readonly memory: WebAssembly.Memory;
  readonly oddCount: WebAssembly.Global<'i32'>;
  init(): void;
  input(size: number): number;
  body(size: number): number;
  text(size: number): number;
  records(count: number): number;
  values(): number;
  odd(): number;
  inflate(offset: number, length: number, size: number): number;
  match(length: number, recordCount: number): number;
}

/** Lines of a body without their values, as `assembly/known-body.ts` draws them. */
export interface BodyLines {
  readonly text: Uint8Array;
  /** Twice the length of each part of `text`, plus one when a value follows it. */
  readonly records: Uint32Array;
}

/** Values of a body whose lines are known. */
export interface BodyValues {
  /** In the order of the lines. */
  readonly values: Float64Array;
  /** Values that are not short decimal numbers: number of the value, start and end of its text in the body, three each. */
  readonly odd: Uint32Array;
}

/** Larger bodies are left to zlib: what they would need stays allocated. */
const BODY_MAX = 16 * 1024 * 1024;
/** Bytes that a byte of a stream may stand for at most. */
const EXPANSION_MAX = 1032;

/** A gzip member (RFC 1952) without anything optional: 1f 8b 08 00, time (4), flags (1), system (1); stream; CRC-32 (4), size (4). */
const HEAD_SIZE = 10;
const TAIL_SIZE = 8;

let instance: ScrapeExports | undefined;

/** One small instance per thread. It keeps buffers as large as the largest bodies it saw. */
function kernel(): ScrapeExports {
  if (!instance) {
    instance = instantiateWasm<ScrapeExports>(compileWasm(wasmBase64));
    instance.init();
  }
  return instance;
}

/** A body in the kernel's memory. Valid until the next call of anything in this file. */
export interface OpenBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Undefined when it has other lines than were asked for. */
  readonly values: BodyValues | undefined;
}

/**
 * A body as it came, or a gzip file of one plain member inflated; and its values when its lines are `lines`. Undefined for
 * whatever is damaged, unusual, or has `sizeMax` bytes and more: zlib then knows what it is.
 */
export function openBody(
  sent: Uint8Array,
  isZipped: boolean,
  sizeMax: number,
  lines?: BodyLines,
): OpenBody | undefined {
  const size = isZipped ? announcedSize(sent) : sent.length;
  if (size >= Math.min(sizeMax, BODY_MAX)) return undefined;
  const wasm = kernel();
  const inputAt = isZipped ? wasm.input(sent.length) >>> 0 : -1;
  const bodyAt = wasm.body(size) >>> 0;
  const textAt = wasm.text(lines?.text.length ?? 0) >>> 0;
  const recordsAt = wasm.records(lines?.records.length ?? 0) >>> 0;
  if (inputAt === 0 || bodyAt === 0 || textAt === 0 || recordsAt === 0) throw memoryFull();
  // The memory does not grow from here on.
  const buffer = wasm.memory.buffer as ArrayBuffer;
  const bytes = new Uint8Array(buffer, bodyAt, size);
  if (!isZipped) bytes.set(sent);
  else {
    new Uint8Array(buffer).set(sent, inputAt);
    if (wasm.inflate(HEAD_SIZE, sent.length - TAIL_SIZE, size) !== sent.length - HEAD_SIZE - TAIL_SIZE)
      return undefined;
    if (crc32(bytes) !== word(sent, sent.length - TAIL_SIZE)) return undefined;
  }
  if (lines === undefined) return { bytes, values: undefined };
  new Uint8Array(buffer).set(lines.text, textAt);
  new Uint32Array(buffer).set(lines.records, recordsAt >>> 2);
  const count = wasm.match(size, lines.records.length);
  return { bytes, values: count < 0 ? undefined : valuesAt(wasm, buffer, count) };
}

function valuesAt({ values, odd, oddCount }: ScrapeExports, buffer: ArrayBuffer, count: number): BodyValues {
  return {
    values: new Float64Array(buffer, values() >>> 0, count),
    odd: new Uint32Array(buffer, odd() >>> 0, 3 * oddCount.value),
  };
}

/** How long the contents of a gzip file say they are; infinite when that cannot be. */
function announcedSize(sent: Uint8Array): number {
  const isPlain = sent[0] === 0x1f && sent[1] === 0x8b && sent[2] === 8 && sent[3] === 0;
  if (!isPlain || sent.length < HEAD_SIZE + TAIL_SIZE) return Number.POSITIVE_INFINITY;
  const size = word(sent, sent.length - 4);
  return size > sent.length * EXPANSION_MAX ? Number.POSITIVE_INFINITY : size;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
