import { uvarintSize } from '../encoding/varint.ts';
import { VeronaError } from '../model/errors.ts';

/**
 * A chunk of downsampled samples, as Thanos writes it (encoding 0xff): five chunks, one per aggregate, in the order of
 * `Aggregate`. One that is absent is a zero.
 *
 *   ( ┌────────────────┬─────────────┬──────┐
 *     │ length uvarint │ encoding 1B │ data │ ) × 5      length is that of data; 0: nothing follows
 *     └────────────────┴─────────────┴──────┘
 *
 * Samples of count, sum, min and max stand at the end of their windows. The counter begins with the first raw sample and
 * ends with the last raw value at the time of the last window, which is there twice: so the next chunk can tell a reset.
 */
export const Aggregate = { count: 0, sum: 1, min: 2, max: 3, counter: 4 } as const;
export type Aggregate = (typeof Aggregate)[keyof typeof Aggregate];

const PARTS = 5;

/** One of the five, with its encoding. */
export interface AggregatePart {
  readonly encoding: number;
  readonly data: Uint8Array;
}

/** By `Aggregate`. */
export type AggregateParts = readonly (AggregatePart | undefined)[];

export function encodeAggregates(parts: AggregateParts): Uint8Array {
  let size = 0;
  for (let i = 0; i < PARTS; i++) {
    const length = parts[i]?.data.length ?? 0;
    size += uvarintSize(length) + (length > 0 ? 1 + length : 0);
  }
  const out = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < PARTS; i++) {
    const part = parts[i];
    let length = part?.data.length ?? 0;
    for (; length >= 128; length >>>= 7) out[at++] = (length & 127) | 128;
    out[at++] = length;
    if (!part || part.data.length === 0) continue;
    out[at++] = part.encoding;
    out.set(part.data, at);
    at += part.data.length;
  }
  return out;
}

/** The parts of the chunk `bytes`; data are views. Throws `corrupt`. */
export function decodeAggregates(bytes: Uint8Array): AggregateParts {
  const parts: (AggregatePart | undefined)[] = [];
  let at = 0;
  for (let i = 0; i < PARTS; i++) {
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= bytes.length || scale > 2 ** 28) throw cutOff(i, at);
      const byte = bytes[at++];
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    if (length === 0) {
      parts.push(undefined);
      continue;
    }
    if (at + 1 + length > bytes.length) throw cutOff(i, at);
    parts.push({ encoding: bytes[at], data: bytes.subarray(at + 1, at + 1 + length) });
    at += 1 + length;
  }
  return parts;
}

function cutOff(part: number, at: number): VeronaError {
  return new VeronaError('corrupt', `part ${part} of an aggregate chunk is cut off at ${at}`);
}
