import { encodeLabels } from '../../src/encoding/label-bytes.ts';
import { WireReader } from '../../src/encoding/protobuf.ts';
import { putUvarint, uvarintSize } from '../../src/encoding/varint.ts';
import { VeronaError } from '../../src/model/errors.ts';
import { compareLabels, Labels } from '../../src/model/labels.ts';
import { type Clock, sleep } from '../../src/platform/clock.ts';
import type { Random } from '../../src/platform/random.ts';
import {
  readSeriesFrame,
  SeriesFrameWriter,
  type StoreAggrChunk,
  warningFrame,
} from '../../src/proto/store-series.ts';
import { encodeFloats } from '../../src/storage/dedup/encode-samples.ts';
import type { LabelsAnswer, SeriesRequest, StoreInfo, StoreServer } from '../../src/storeapi/store-server.ts';
import { pick, type SimulatedSeries, type StoreData } from './store-data.ts';

/** What a store does wrong. */
export const FAULTS = [
  'none',
  'slow',
  'warns',
  'repeats a frame',
  'disordered labels',
  'an empty label',
  'dies',
  'stalls',
  'stalls and is deaf',
  'lies about order',
  'a frame beyond the limit',
  'frames without end',
  'a label twice',
  'a series without labels',
  'a foreign encoding',
  'a cut chunk',
  'a chunk that says too much',
  'garbage',
  'lies about its time',
  'lies about its labels',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Faults after which all data still come. */
export const HARMLESS: ReadonlySet<Fault> = new Set<Fault>([
  'none',
  'slow',
  'warns',
  'repeats a frame',
  'disordered labels',
  'an empty label',
]);
/** Those who say that they have less than they do are not asked for it: nobody can know. */
export const LIARS: ReadonlySet<Fault> = new Set<Fault>(['lies about its time', 'lies about its labels']);

export const BYTES_MAX = 300_000;
const SLOW_MS = 3_000;

type Step =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'die' }
  | { readonly kind: 'hang'; readonly isDeaf: boolean }
  | { readonly kind: 'again' };

/** One call of Series, as the store saw it. */
export interface SeenCall {
  readonly signal: AbortSignal;
  bytes: number;
  hasEnded: boolean;
}

/** A store that has its data right and one fault. What it sends is decided by the seed. */
export class FaultyStore implements StoreServer {
  readonly data: StoreData;
  readonly fault: Fault;
  readonly calls: SeenCall[] = [];
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(data: StoreData, fault: Fault, clock: Clock, random: Random) {
    this.data = data;
    this.fault = fault;
    this.#clock = clock;
    this.#random = random;
  }

  async info(): Promise<StoreInfo> {
    const { external, mint, maxt } = this.data;
    const half = (mint + maxt) / 2;
    return {
      component: 'sidecar',
      labelSets: [this.fault === 'lies about its labels' ? Labels.from({ cluster: 'elsewhere' }) : external],
      mint: this.fault === 'lies about its time' ? half : mint,
      maxt,
    };
  }

  async *series(_tenant: string, request: SeriesRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const call: SeenCall = { signal, bytes: 0, hasEnded: false };
    this.calls.push(call);
    try {
      let last = new Uint8Array();
      for (const step of this.#steps(request)) {
        await sleep(this.#clock, this.fault === 'slow' ? SLOW_MS : pick(this.#random, 200), signal);
        if (step.kind === 'die')
          throw new VeronaError('unavailable', `${this.data.address}: connection reset`);
        if (step.kind === 'hang') await hang(step.isDeaf ? undefined : signal);
        do {
          if (step.kind === 'frame') last = Uint8Array.from(step.bytes);
          call.bytes += last.length;
          yield last;
          if (step.kind === 'again') await sleep(this.#clock, 1, signal);
        } while (step.kind === 'again' && !signal.aborted);
      }
    } finally {
      call.hasEnded = true;
    }
  }

  async labelNames(): Promise<LabelsAnswer> {
    throw new VeronaError('unavailable', `${this.data.address}: not asked for here`);
  }

  labelValues(): Promise<LabelsAnswer> {
    return this.labelNames();
  }

  #steps(request: SeriesRequest): Step[] {
    const { external, series } = this.data;
    const selected = series
      .map((one) => ({ ...one, labels: Labels.from([...one.labels, ...external]) }))
      .filter(({ labels }) => request.matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))
      .sort((a, b) => compareLabels(a.labels, b.labels));
    const frames = selected.flatMap((one) => this.#framesOf(one, request));
    return this.#spoil(frames.map((bytes) => ({ kind: 'frame', bytes })));
  }

  /** One series in one frame, or in several. */
  #framesOf({ labels, samples }: SimulatedSeries, { mint, maxt }: SeriesRequest): Uint8Array[] {
    const columns = {
      timestamps: Float64Array.from(samples, ([t]) => t),
      values: Float64Array.from(samples, ([, v]) => v),
    };
    const chunks = encodeFloats(columns)
      .filter((chunk) => chunk.mint <= maxt && chunk.maxt >= mint)
      .map(({ mint, maxt, payload }) => ({
        mint,
        maxt,
        raw: { type: 0, data: Uint8Array.from(payload) },
        aggregates: [],
      }));
    if (chunks.length === 0) return [];
    const cut = pick(this.#random, chunks.length);
    const parts = cut === 0 ? [chunks] : [chunks.slice(0, cut), chunks.slice(cut)];
    return parts.map((part) => frameOf(encodeLabels(labels), part));
  }

  #spoil(steps: Step[]): Step[] {
    const at = pick(this.#random, steps.length + 1);
    const before = steps.slice(0, at);
    const rest = steps.slice(at);
    switch (this.fault) {
      case 'warns':
        return [...before, frame(warningFrame('something is missing')), ...rest];
      case 'repeats a frame':
        return at === 0 ? steps : [...before, steps[at - 1], ...rest];
      case 'dies':
        return [...before, { kind: 'die' }];
      case 'stalls':
      case 'stalls and is deaf':
        return [...before, { kind: 'hang', isDeaf: this.fault !== 'stalls' }];
      case 'lies about order':
        return [...steps].reverse();
      case 'a frame beyond the limit':
        return [...before, frame(field(3, new Uint8Array(BYTES_MAX + 1))), ...rest];
      case 'frames without end':
        return steps.length === 0 ? [] : [...steps, { kind: 'again' }];
      case 'garbage':
        return [...before, frame(this.#random.bytes(20 + pick(this.#random, 100))), ...rest];
      case 'a series without labels':
        return [...before, frame(field(1, field(2, new Uint8Array()))), ...rest];
      case 'disordered labels':
      case 'an empty label':
      case 'a label twice':
      case 'a foreign encoding':
      case 'a cut chunk':
      case 'a chunk that says too much':
        return [...before, ...this.#bend(rest)];
      default:
        return steps;
    }
  }

  /** Changes the bytes of the first frame. */
  #bend([first, ...rest]: Step[]): Step[] {
    if (first?.kind !== 'frame') return [];
    const { labels, chunks } = partsOf(first.bytes);
    const [chunk, ...others] = chunks;
    const labelBytes = joined(labels);
    const withChunk = (changed: StoreAggrChunk) => [
      frame(frameOf(labelBytes, [changed, ...others])),
      ...rest,
    ];
    const data = chunk.raw!.data;
    switch (this.fault) {
      case 'disordered labels':
        return [frame(frameOf(joined([...labels].reverse()), chunks)), ...rest];
      case 'an empty label':
        return [frame(frameOf(joined([...labels, pair('zzz', '')]), chunks)), ...rest];
      case 'a label twice':
        return [frame(frameOf(joined([...labels, labels[0]]), chunks)), ...rest];
      case 'a foreign encoding':
        return withChunk({ ...chunk, raw: { type: 3 + pick(this.#random, 200), data } });
      case 'a cut chunk':
        return withChunk({
          ...chunk,
          raw: { type: 0, data: data.slice(0, pick(this.#random, data.length)) },
        });
      default: {
        const more = Uint8Array.from(data);
        more[0] |= 0x80;
        return withChunk({ ...chunk, raw: { type: 0, data: more } });
      }
    }
  }
}

function frame(bytes: Uint8Array): Step {
  return { kind: 'frame', bytes };
}

function frameOf(labelBytes: Uint8Array, chunks: readonly StoreAggrChunk[]): Uint8Array {
  const writer = new SeriesFrameWriter();
  writer.add(labelBytes, chunks);
  return writer.take();
}

function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** A length-delimited field of a message. */
function field(number: number, contents: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + uvarintSize(contents.length) + contents.length);
  bytes[0] = number * 8 + 2;
  bytes.set(contents, putUvarint(bytes, 1, contents.length));
  return bytes;
}

function pair(name: string, value: string): Uint8Array {
  const text = (number: number, own: string) => field(number, new TextEncoder().encode(own));
  return field(1, joined([text(1, name), ...(value === '' ? [] : [text(2, value)])]));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The labels of a frame, each with its tag, and its chunks. */
function partsOf(bytes: Uint8Array): { labels: Uint8Array[]; chunks: readonly StoreAggrChunk[] } {
  const read = readSeriesFrame(new WireReader(bytes));
  if (read.kind !== 'series') throw new Error('it was written as a series');
  const [{ labelBytes, chunks }] = read.series;
  const labels: Uint8Array[] = [];
  const reader = new WireReader(labelBytes);
  while (reader.next()) labels.push(labelBytes.slice(reader.tagStart, reader.valueEnd));
  return { labels, chunks };
}
