import { BitWriter } from '../encoding/bit-writer.ts';
import { crc32c } from '../encoding/crc32c.ts';
import { putUvarint } from '../encoding/varint.ts';

/** A sample of an open chunk: ms and the 64 bits of the value. */
export interface PlainSample {
  readonly t: number;
  readonly bits: bigint;
}

/** The payload of an XOR chunk; its drawing is in `chunkenc/xor.ts`. */
export function encodePlainChunk(samples: readonly PlainSample[]): Uint8Array {
  const out = new BitWriter();
  out.write(BigInt(samples.length), 16);
  let delta = 0;
  let window = { leading: -1, trailing: 0 };
  samples.forEach(({ t, bits }, i) => {
    if (i === 0) {
      out.writeUvarint(t >= 0 ? 2n * BigInt(t) : -2n * BigInt(t) - 1n);
      out.write(bits, 64);
      return;
    }
    const previous = samples[i - 1];
    const newDelta = t - previous.t;
    if (i === 1) out.writeUvarint(BigInt(newDelta));
    else writeDeltaOfDelta(out, newDelta - delta);
    delta = newDelta;
    window = writeXor(out, bits ^ previous.bits, window);
  });
  return out.bytes();
}

function writeDeltaOfDelta(out: BitWriter, dod: number): void {
  const [prefix, prefixLength, length] = formOf(dod);
  out.write(prefix, prefixLength);
  out.write(BigInt(dod), length);
}

/** Prefix, its length, and the bits that follow. The highest pattern of a form is positive. */
function formOf(dod: number): [bigint, number, number] {
  if (dod === 0) return [0n, 1, 0];
  if (dod >= -8191 && dod <= 8192) return [0b10n, 2, 14];
  if (dod >= -65535 && dod <= 65536) return [0b110n, 3, 17];
  if (dod >= -524287 && dod <= 524288) return [0b1110n, 4, 20];
  return [0b1111n, 4, 64];
}

interface Window {
  /** -1 before there is one. */
  readonly leading: number;
  readonly trailing: number;
}

/** What telling a window costs: one that spares as much is told anew. */
const WINDOW_BITS = 11;

function writeXor(out: BitWriter, xor: bigint, window: Window): Window {
  if (xor === 0n) {
    out.write(0n, 1);
    return window;
  }
  const leading = Math.min(31, 64 - xor.toString(2).length);
  const trailing = (xor & -xor).toString(2).length - 1;
  const spared = leading + trailing - window.leading - window.trailing;
  const fits = window.leading >= 0 && leading >= window.leading && trailing >= window.trailing;
  if (fits && spared < WINDOW_BITS) {
    out.write(0b10n, 2);
    out.write(xor >> BigInt(window.trailing), 64 - window.leading - window.trailing);
    return window;
  }
  out.write(0b11n, 2);
  out.write(BigInt(leading), 5);
  const significant = 64 - leading - trailing;
  // 64 does not fit in six bits and is written as 0.
  out.write(BigInt(significant), 6);
  out.write(xor >> BigInt(trailing), significant);
  return { leading, trailing };
}

const XOR_ENCODING = 1;

/**
 * A chunk as `chunks_head/` has it; the checksum (CRC-32C) covers everything before it:
 *
 *   ┌───────────────┬────────────┬────────────┬─────────────┬─────────────┬──────┬─────────────┐
 *   │ series ref 8B │ mint 8B BE │ maxt 8B BE │ encoding 1B │ uvarint len │ data │ checksum 4B │
 *   └───────────────┴────────────┴────────────┴─────────────┴─────────────┴──────┴─────────────┘
 */
export function encodeClosedChunk(walRef: number, samples: readonly PlainSample[]): Uint8Array {
  const data = encodePlainChunk(samples);
  const out = new Uint8Array(25 + 10 + data.length + 4);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(walRef));
  view.setBigInt64(8, BigInt(samples[0].t));
  view.setBigInt64(16, BigInt(samples[samples.length - 1].t));
  out[24] = XOR_ENCODING;
  let at = putUvarint(out, 25, data.length);
  out.set(data, at);
  at += data.length;
  view.setUint32(at, crc32c(out, 0, at));
  return out.slice(0, at + 4);
}

const SAMPLES_PER_CHUNK = 120;
const RATIO_TO_FULL = 4;
const STAGGERED_CHUNKS_MIN = 3;
const GOLDEN_RATIO = 0x9e3779b9;

/** Whether a sample at `t` begins a new chunk after `samples`, whose end is planned at `end`. */
export function cutsChunk(samples: readonly PlainSample[], t: number, end: number): boolean {
  return t >= end || samples.length >= 2 * SAMPLES_PER_CHUNK;
}

/** The multiple of the chunk range that ends the range `t` is in. */
export function rangeEnd(t: number, chunkRangeMs: number): number {
  return (Math.floor(t / chunkRangeMs) + 1) * chunkRangeMs;
}

/** What decides where the chunk of a series ends besides its samples. */
export interface ChunkPlan {
  readonly chunkRangeMs: number;
  readonly walRef: number;
  /** Whether the series has no closed chunk in this range yet. */
  readonly isFirstInRange: boolean;
}

/** The planned end, once a quarter of a chunk is there; `end` is that of the range. What for is said in `assembly/append.ts`. */
export function plannedEnd(samples: readonly PlainSample[], end: number, plan: ChunkPlan): number {
  if (samples.length !== SAMPLES_PER_CHUNK / RATIO_TO_FULL) return end;
  const start = samples[0].t;
  const passed = samples[samples.length - 1].t - start + 1;
  const usual = passed * RATIO_TO_FULL;
  const count = Math.floor(plan.chunkRangeMs / usual);
  if (count < STAGGERED_CHUNKS_MIN) {
    const chunks = Math.floor((end - start) / usual);
    return chunks <= 1 ? end : start + Math.floor((end - start) / chunks);
  }
  const length = Math.floor(plan.chunkRangeMs / (count - 1));
  return Math.min(end, start + (plan.isFirstInRange ? passed + partOf(length, plan.walRef) : length));
}

/** A part of a length that is another for every series: the fraction of `walRef` times the golden ratio, in 32 bits. */
function partOf(length: number, walRef: number): number {
  return Number((BigInt(length) * BigInt(Math.imul(walRef, GOLDEN_RATIO) >>> 0)) >> 32n);
}
