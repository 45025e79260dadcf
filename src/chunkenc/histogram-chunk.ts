import { VeronaError } from '../model/errors.ts';
import type { AnyHistogram, FloatHistogram, Histogram } from '../model/histogram.ts';
import { reduceResolution } from '../model/histogram-shape.ts';
import { EXPONENTIAL_SCHEMA_MAX } from '../model/histogram-validate.ts';
import { assert } from '../platform/assert.ts';
import { BitReader, BitWriter } from './bits.ts';
import type { ChunkAppender } from './chunk.ts';
import { ChunkEncoding, holdsStartTimes } from './encoding.ts';
import { FloatFields } from './float-histogram.ts';
import { IntegerFields } from './histogram.ts';
import {
  type HistogramFields,
  type HistogramSample,
  isStaleHistogram,
  staleHistogram,
} from './histogram-fields.ts';
import { readLayout, writeLayout } from './histogram-layout.ts';
import { type Fit, fitHistogram, layOut } from './layout-change.ts';
import { ResetHeader } from './reset-header.ts';
import { StartTimeReader, StartTimeWriter } from './start-times.ts';
import { CHUNK_SAMPLES_MAX, checkedEnd, checkTimes } from './xor.ts';

/**
 * A chunk of native histograms, all with one layout:
 *
 *   ┌──────────────┬────────────────┬────────────────────────────┬──────────┬──────────┬─────
 *   │ count 2B BE  │ header 1B      │ layout                     │ sample 0 │ sample 1 │ …
 *   └──────────────┴────────────────┴────────────────────────────┴──────────┴──────────┴─────
 *                    top two bits: how the chunk relates to the one before (`ResetHeader`)
 *
 * Layout: `histogram-layout.ts`; samples: `histogram.ts` (integer), `float-histogram.ts` (float).
 *
 * With start timestamps (`start-times.ts`, behind each sample) the header shares the first byte with the count:
 *
 *   ┌───────────────────────────┬────────────────┬────────┬──────────┬─────┬──────────┬─────
 *   │ header 2 bits, count 14 BE│ start times 1B │ layout │ sample 0 │ st₀ │ sample 1 │ …
 *   └───────────────────────────┴────────────────┴────────┴──────────┴─────┴──────────┴─────
 */
export const HISTOGRAM_ST_SAMPLES_MAX = 0x3fff;
const HEADER_SIZE = 3;

/** Prometheus cuts a histogram chunk at this size once it has this many samples. */
export const HISTOGRAM_CHUNK_TARGET_BYTES = 1024;
export const HISTOGRAM_CHUNK_SAMPLES_MIN = 10;

/** `recoded`: appended after the whole chunk was written anew with more buckets. `new_chunk`: not appended, take `successor()`. */
export type HistogramAppendResult = 'appended' | 'recoded' | 'new_chunk';

/** Writes one histogram chunk by Prometheus' rules of what may share a chunk. */
export class HistogramAppender<H extends AnyHistogram> implements ChunkAppender {
  readonly encoding: ChunkEncoding;
  readonly kind: H['kind'];
  readonly #withStartTimes: boolean;
  /** The appender of the chunk before, until the first sample has been compared with it. */
  #previous: HistogramAppender<H> | undefined;
  #out!: BitWriter;
  #fields!: HistogramFields<H>;
  #startTimes!: StartTimeWriter;
  #count = 0;
  #header: ResetHeader = ResetHeader.unknown;
  /** The newest sample in the layout of the chunk, and its time. */
  #last: H | undefined;
  #lastTime = 0;

  private constructor(kind: H['kind'], withStartTimes: boolean, previous?: HistogramAppender<H>) {
    this.kind = kind;
    this.#withStartTimes = withStartTimes;
    this.encoding = encodingOf(kind, withStartTimes);
    this.#previous = previous;
    this.#restart();
  }

  static integer(withStartTimes = false): HistogramAppender<Histogram> {
    return new HistogramAppender<Histogram>('integer', withStartTimes);
  }

  static float(withStartTimes = false): HistogramAppender<FloatHistogram> {
    return new HistogramAppender<FloatHistogram>('float', withStartTimes);
  }

  /** Continues a chunk. Throws `corrupt`. */
  static resume(encoding: ChunkEncoding, chunk: Uint8Array): HistogramAppender<AnyHistogram> {
    return HistogramAppender.encode(encoding, decodeHistogramChunk(encoding, chunk, 0, chunk.length));
  }

  /** The samples of one chunk as a chunk of another encoding of their kind. */
  static encode(encoding: ChunkEncoding, decoded: HistogramColumns): HistogramAppender<AnyHistogram> {
    const appender = new HistogramAppender<AnyHistogram>(kindOf(encoding), holdsStartTimes(encoding));
    appender.#header = decoded.header;
    for (const [i, histogram] of decoded.histograms.entries())
      appender.#write(decoded.timestamps[i], histogram, decoded.startTimes?.[i] ?? 0);
    return appender;
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#out.byteLength;
  }

  get lastTime(): number {
    return this.#lastTime;
  }

  get last(): H | undefined {
    return this.#last;
  }

  get header(): ResetHeader {
    return this.#header;
  }

  /** The empty chunk after this one: its header says whether a counter was reset in between. */
  successor(): HistogramAppender<H> {
    return new HistogramAppender<H>(this.kind, this.#withStartTimes, this);
  }

  /**
   * `t` is later than `lastTime`; the histogram is valid and of the chunk's kind; at most `CHUNK_SAMPLES_MAX` samples, or
   * `HISTOGRAM_ST_SAMPLES_MAX`. `startT` (0 when unknown) is kept by chunks with start timestamps.
   */
  append(t: number, histogram: H, startT = 0): HistogramAppendResult {
    assert(histogram.kind === this.kind, 'a chunk holds one kind of histograms');
    const samplesMax = this.#withStartTimes ? HISTOGRAM_ST_SAMPLES_MAX : CHUNK_SAMPLES_MAX;
    assert(this.#count < samplesMax, 'a chunk takes no more samples');
    assert(this.#count === 0 || t > this.#lastTime, 'samples of a chunk ascend in time');
    if (this.#last === undefined) {
      this.#header = this.#firstHeader(histogram);
      this.#previous = undefined;
      this.#write(t, histogram, startT);
      return 'appended';
    }
    const fit = this.#fit(histogram);
    if (!fit.fits) return 'new_chunk';
    const spread = layOut(histogram, fit.positiveSpans, fit.negativeSpans);
    if (fit.chunkGrows) this.#recode(spread);
    this.#write(t, spread, startT);
    return fit.chunkGrows ? 'recoded' : 'appended';
  }

  /** The chunk so far. A view, valid until the next append. */
  bytes(): Uint8Array {
    const bytes = this.#out.bytes();
    bytes[0] = this.#count >>> 8;
    bytes[1] = this.#count;
    if (this.#withStartTimes) bytes[0] |= this.#header;
    bytes[2] = this.#withStartTimes ? this.#startTimes.header : this.#header;
    return bytes;
  }

  #firstHeader(histogram: H): ResetHeader {
    if (histogram.counterResetHint === 'gauge') return ResetHeader.gauge;
    if (histogram.counterResetHint === 'reset') return ResetHeader.reset;
    if (this.#previous?.last === undefined) return ResetHeader.unknown;
    return this.#previous.#fit(histogram).reset;
  }

  #fit(histogram: H): Fit {
    const chunkIsGauge = this.#header === ResetHeader.gauge;
    return fitHistogram(this.#last as H, histogram, chunkIsGauge);
  }

  #recode(wide: H): void {
    const old = decodeHistogramChunk(this.encoding, this.bytes(), 0, this.byteLength);
    this.#restart();
    for (const [i, histogram] of old.histograms.entries()) {
      const spread = layOut(histogram as H, wide.positiveSpans, wide.negativeSpans);
      this.#write(old.timestamps[i], spread, old.startTimes?.[i] ?? 0);
    }
  }

  #restart(): void {
    this.#out = new BitWriter(256);
    this.#out.write(0, 8 * HEADER_SIZE);
    this.#fields = fieldsOf(this.kind) as unknown as HistogramFields<H>;
    this.#startTimes = new StartTimeWriter();
    this.#count = 0;
  }

  #write(t: number, histogram: H, startT: number): void {
    const sample = isStaleHistogram(histogram) ? (staleHistogram(this.kind) as H) : histogram;
    if (this.#count === 0) {
      writeLayout(this.#out, sample);
      this.#fields.writeFirst(this.#out, t, sample);
    } else this.#fields.writeNext(this.#out, t, sample);
    if (this.#withStartTimes) this.#startTimes.write(this.#out, this.#count, t, this.#lastTime, startT);
    this.#last = sample;
    this.#lastTime = t;
    this.#count++;
  }
}

export interface HistogramColumns {
  /** ms, ascending. */
  readonly timestamps: Float64Array;
  /** One per timestamp, sharing spans and custom values. */
  readonly histograms: readonly AnyHistogram[];
  readonly header: ResetHeader;
  /** One per sample, ms, 0 when unknown; only from encodings that hold them. */
  readonly startTimes?: Float64Array;
}

/**
 * The samples of a histogram chunk. Hints: `gauge` for all of a gauge chunk; else `unknown` for the first, since the
 * chunk before may be gone, and `not_reset` for the others. Throws `corrupt`; trailing bytes are ignored.
 */
export function decodeHistogramChunk(
  encoding: ChunkEncoding,
  bytes: Uint8Array,
  start: number,
  length: number,
): HistogramColumns {
  const end = checkedEnd(bytes, start, length, HEADER_SIZE);
  const withStartTimes = holdsStartTimes(encoding);
  const words = (bytes[start] << 8) | bytes[start + 1];
  const count = withStartTimes ? words & HISTOGRAM_ST_SAMPLES_MAX : words;
  const header = (bytes[withStartTimes ? start : start + 2] & 0xc0) as ResetHeader;
  // Every sample but the first takes four bits at least.
  if (count > 2 * length)
    throw new VeronaError('corrupt', `${count} histograms in a chunk of ${length} bytes`);
  const timestamps = new Float64Array(count);
  const histograms: AnyHistogram[] = [];
  if (count === 0) return { timestamps, histograms, header };

  const from = new BitReader(bytes, start + HEADER_SIZE, end);
  const layout = readLayout(from);
  const fields = fieldsOf(kindOf(encoding));
  const startHeader = withStartTimes ? bytes[start + 2] : 0;
  const startReader = new StartTimeReader(startHeader);
  const startTimes = startHeader === 0 ? undefined : new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const sample: HistogramSample<AnyHistogram> =
      i === 0 ? fields.readFirst(from, layout) : fields.readNext(from, layout);
    timestamps[i] = sample.t;
    histograms.push(withHint(readable(sample.histogram), header, i));
    if (startTimes) startTimes[i] = startReader.read(from, i, sample.t, i === 0 ? 0 : timestamps[i - 1]);
  }
  checkTimes(timestamps);
  return { timestamps, histograms, header, ...(startTimes && { startTimes }) };
}

function encodingOf(kind: AnyHistogram['kind'], withStartTimes: boolean): ChunkEncoding {
  if (kind === 'integer') return withStartTimes ? ChunkEncoding.histogramST : ChunkEncoding.histogram;
  return withStartTimes ? ChunkEncoding.floatHistogramST : ChunkEncoding.floatHistogram;
}

function kindOf(encoding: ChunkEncoding): AnyHistogram['kind'] {
  return encoding === ChunkEncoding.histogram || encoding === ChunkEncoding.histogramST ? 'integer' : 'float';
}

function fieldsOf(kind: AnyHistogram['kind']): IntegerFields | FloatFields {
  return kind === 'integer' ? new IntegerFields() : new FloatFields();
}

/** Schemas beyond ours are reserved for finer resolutions of newer writers; Prometheus reads them coarser. */
function readable(histogram: AnyHistogram): AnyHistogram {
  return histogram.schema > EXPONENTIAL_SCHEMA_MAX
    ? reduceResolution(histogram, EXPONENTIAL_SCHEMA_MAX)
    : histogram;
}

function withHint(histogram: AnyHistogram, header: ResetHeader, i: number): AnyHistogram {
  if (isStaleHistogram(histogram)) return histogram;
  if (header === ResetHeader.gauge) return { ...histogram, counterResetHint: 'gauge' };
  return i === 0 ? histogram : { ...histogram, counterResetHint: 'not_reset' };
}
