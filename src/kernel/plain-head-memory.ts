import type { ByteParts } from '../encoding/byte-parts.ts';
import { visitLabels } from '../encoding/label-bytes.ts';
import { VeronaError } from '../model/errors.ts';
import { assert } from '../platform/assert.ts';
import {
  CHUNK_RANGE_MS,
  type GatheredSeries,
  type HeadMemory,
  type HeadMemoryOptions,
  type IngestEvent,
  type IngestEventDetail,
  LABEL_BYTES_MAX,
  type ReplayCounts,
  SampleOutcome,
} from './head-memory.ts';
import {
  type ChunkPlan,
  cutsChunk,
  encodeClosedChunk,
  encodePlainChunk,
  type PlainSample,
  plannedEnd,
  rangeEnd,
} from './plain-chunk.ts';
import { gatherPlain, type PlainChunk } from './plain-gather.ts';
import { floatBits, PlainRequest } from './plain-request.ts';
import { encodeSamplesRecord, type LoggedSample, samplesOfRecord } from './plain-samples-record.ts';

interface Series {
  readonly slot: number;
  readonly labels: Uint8Array;
  readonly walRef: number;
  rare: boolean;
  lastT: number;
  /** Unknown for a time learned from `addClosedChunk`. */
  lastBits: bigint | undefined;
  open: PlainSample[];
  openEnd: number;
  closed: { ref: number; mint: number; maxt: number }[];
}

const NO_BYTES = new Uint8Array();
const XOR = 1;

/** The memory of a head as it would be written without a thought for speed: what `WasmHeadMemory` must equal. */
export class PlainHeadMemory implements HeadMemory {
  readonly #chunkRangeMs: number;
  readonly #bySlot: (Series | undefined)[] = [undefined];
  readonly #freeSlots: number[] = [];
  #collected: number[] = [];
  readonly #byLabels = new Map<string, Series>();
  readonly #byWalRef = new Map<number, number>();
  #minValid = -Infinity;
  #maxValid = Infinity;
  #mint = Infinity;
  #maxt = -Infinity;
  #logged: LoggedSample[] = [];
  #closedBytes: Uint8Array[] = [];
  #fileSequence = 0;
  #fileOffset = 0;
  readonly #request = new PlainRequest(this);

  constructor({ chunkRangeMs = CHUNK_RANGE_MS }: HeadMemoryOptions = {}) {
    assert(chunkRangeMs >= 1 && chunkRangeMs < 2 ** 31, `chunk range of ${chunkRangeMs} ms`);
    this.#chunkRangeMs = chunkRangeMs;
  }

  get seriesCount(): number {
    return this.#byLabels.size;
  }

  memoryUse(): ReturnType<HeadMemory['memoryUse']> {
    const all = [...this.#byLabels.values()];
    const sum = (of: (series: Series) => number) => all.reduce((total, series) => total + of(series), 0);
    const labels = sum((series) => series.labels.length);
    const openChunks = sum((series) => 16 * series.open.length);
    const closedLists = sum((series) => 24 * series.closed.length);
    const total = labels + openChunks + closedLists + 64 * all.length;
    return { total, labels, records: 64 * all.length, table: 0, openChunks, closedLists };
  }

  // ── series ────────────────────────────────────────────────────────────────
  find(labelBytes: Uint8Array): number {
    return this.#byLabels.get(keyOf(labelBytes))?.slot ?? 0;
  }

  create(labelBytes: Uint8Array, walRef: number): number {
    if (labelBytes.length > LABEL_BYTES_MAX)
      throw new VeronaError('limit', `label set of ${labelBytes.length} bytes, ${LABEL_BYTES_MAX} allowed`);
    assert(this.find(labelBytes) === 0, 'a series is created once');
    assert(Number.isSafeInteger(walRef) && walRef >= 1, `walRef ${walRef}`);
    const slot = this.#freeSlots.pop() ?? this.#bySlot.length;
    const labels = labelBytes.slice();
    const series: Series = {
      slot,
      labels,
      walRef,
      rare: false,
      lastT: -Infinity,
      lastBits: undefined,
      open: [],
      openEnd: 0,
      closed: [],
    };
    this.#bySlot[slot] = series;
    this.#byLabels.set(keyOf(labels), series);
    return slot;
  }

  labelBytesOf(slot: number): Uint8Array {
    return this.#at(slot).labels;
  }

  walRefOf(slot: number): number {
    return this.#at(slot).walRef;
  }

  lastTimeOf(slot: number): number {
    return this.#at(slot).lastT;
  }

  sortByLabels(slots: Uint32Array): void {
    const texts = new Map([...slots].map((slot) => [slot, textsOf(this.#at(slot).labels)]));
    slots.sort((a, b) => compareTexts(texts.get(a)!, texts.get(b)!));
  }

  setRare(slot: number, rare: boolean): void {
    if (rare) this.closeOpenChunk(slot);
    this.#at(slot).rare = rare;
  }

  isRare(slot: number): boolean {
    return this.#at(slot).rare;
  }

  #at(slot: number): Series {
    const series = this.#bySlot[slot];
    assert(series, `slot ${slot} holds a series`);
    return series;
  }

  // ── appending ─────────────────────────────────────────────────────────────
  setBounds(minValidTime: number, maxValidTime: number): void {
    this.#minValid = minValidTime;
    this.#maxValid = maxValidTime;
  }

  append(slot: number, t: number, v: number): SampleOutcome {
    assert(Number.isSafeInteger(t), `time ${t}`);
    return this.appendBits(slot, t, floatBits(v));
  }

  /** As `append`, with the bits of the value, and times beyond the safe integers, which are out of bounds. */
  appendBits(slot: number, t: number, bits: bigint): SampleOutcome {
    const series = this.#at(slot);
    const outcome = this.#judge(series, t, bits);
    if (outcome === SampleOutcome.ok) {
      this.#store(series, { t, bits });
      this.#logged.push({ ref: series.walRef, sample: { t, bits } });
    }
    return outcome;
  }

  #judge(series: Series, t: number, bits: bigint): SampleOutcome {
    if (series.rare) return SampleOutcome.rare;
    if (!Number.isSafeInteger(t)) return SampleOutcome.outOfBounds;
    if (t > this.#maxValid) return SampleOutcome.tooFarInFuture;
    if (t < this.#minValid) return SampleOutcome.outOfBounds;
    if (t > series.lastT) return SampleOutcome.ok;
    if (t < series.lastT) return SampleOutcome.outOfOrder;
    const same = series.lastBits === undefined || series.lastBits === bits;
    return same ? SampleOutcome.duplicate : SampleOutcome.duplicateValue;
  }

  #store(series: Series, sample: PlainSample): void {
    const { t } = sample;
    if (series.open.length > 0) {
      series.openEnd = plannedEnd(series.open, series.openEnd, this.#planOf(series));
      if (cutsChunk(series.open, t, series.openEnd)) this.#close(series);
    }
    if (series.open.length === 0) series.openEnd = rangeEnd(t, this.#chunkRangeMs);
    series.open.push(sample);
    series.lastT = t;
    series.lastBits = sample.bits;
    this.#mint = Math.min(this.#mint, t);
    this.#maxt = Math.max(this.#maxt, t);
  }

  #planOf({ walRef, closed, open }: Series): ChunkPlan {
    const rangeStart = rangeEnd(open[0].t, this.#chunkRangeMs) - this.#chunkRangeMs;
    const newest = closed.at(-1);
    return {
      chunkRangeMs: this.#chunkRangeMs,
      walRef,
      isFirstInRange: newest === undefined || newest.maxt < rangeStart,
    };
  }

  // ── write requests ────────────────────────────────────────────────────────
  get event(): IngestEventDetail {
    return this.#request.event;
  }

  beginWrite(body: ByteParts, decodedMax: number): void {
    this.#request.begin(body, decodedMax, false);
  }

  beginWriteV2(body: ByteParts, decodedMax: number): void {
    this.#request.begin(body, decodedMax, true);
  }

  decoded(): Uint8Array {
    return this.#request.body;
  }

  get writeSamples(): number {
    return this.#request.samples;
  }

  get writeDuplicates(): number {
    return this.#request.duplicates;
  }

  resume(): IngestEvent {
    return this.#request.resume();
  }

  adopt(slot: number): void {
    if (slot !== 0) this.#at(slot);
    this.#request.adopt(slot);
  }

  adoptNew(walRef: number): number {
    assert(this.event.labelsCanonical, 'adoptNew answers newSeries with canonical labels');
    const slot = this.create(this.event.labels, walRef);
    this.adopt(slot);
    return slot;
  }

  // ── log ───────────────────────────────────────────────────────────────────
  takeSamplesRecord(): Uint8Array {
    const logged = this.#logged;
    this.#logged = [];
    return encodeSamplesRecord(logged);
  }

  mapWalRef(walRef: number, slot: number): void {
    this.#at(slot);
    this.#byWalRef.set(walRef, slot);
  }

  endReplay(): void {
    this.#byWalRef.clear();
  }

  replaySamples(record: Uint8Array): ReplayCounts {
    const counts = { samples: 0, unknownRefs: 0, rare: 0, skipped: 0 };
    for (const { ref, sample } of samplesOfRecord(record)) this.#replay(ref, sample, counts);
    return counts;
  }

  #replay(ref: number, sample: PlainSample, counts: ReplayCounts): void {
    const { t } = sample;
    const slot = this.#byWalRef.get(ref);
    if (slot === undefined) {
      counts.unknownRefs++;
      return;
    }
    const series = this.#at(slot);
    if (series.rare) counts.rare++;
    else if (!Number.isSafeInteger(t) || t < this.#minValid || t <= series.lastT) counts.skipped++;
    else {
      this.#store(series, sample);
      counts.samples++;
    }
  }

  // ── chunks ────────────────────────────────────────────────────────────────
  setChunkFilePosition(sequence: number, offset: number): void {
    assert(this.#closedBytes.length === 0, 'closed chunks were taken before the next file begins');
    this.#fileSequence = sequence;
    this.#fileOffset = offset;
  }

  takeClosedChunks(): Uint8Array {
    const taken = Buffer.concat(this.#closedBytes);
    this.#closedBytes = [];
    return new Uint8Array(taken);
  }

  get closedBytesPending(): number {
    return this.#closedBytes.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  addClosedChunk(slot: number, chunkRef: number, mint: number, maxt: number): void {
    const series = this.#at(slot);
    const raises = !series.rare && maxt > series.lastT;
    if (raises) this.closeOpenChunk(slot);
    series.closed.push({ ref: chunkRef, mint, maxt });
    this.#mint = Math.min(this.#mint, mint);
    this.#maxt = Math.max(this.#maxt, maxt);
    if (!raises) return;
    series.lastT = maxt;
    series.lastBits = undefined;
  }

  closeOpenChunk(slot: number): boolean {
    const series = this.#at(slot);
    if (series.open.length === 0) return false;
    this.#close(series);
    return true;
  }

  #close(series: Series): void {
    const { open } = series;
    const bytes = encodeClosedChunk(series.walRef, open);
    const ref = this.#fileSequence * 2 ** 32 + this.#fileOffset;
    series.closed.push({ ref, mint: open[0].t, maxt: open[open.length - 1].t });
    series.open = [];
    this.#closedBytes.push(bytes);
    this.#fileOffset += bytes.length;
  }

  gather(slots: Uint32Array, mint: number, maxt: number, newestOnly = false): GatheredSeries {
    return gatherPlain(
      Array.from(slots, (slot) => {
        const series = this.#at(slot);
        return { labels: series.labels, chunks: chunksBetween(series, mint, maxt, newestOnly) };
      }),
    );
  }

  timeRange(): { mint: number; maxt: number } {
    return { mint: this.#mint, maxt: this.#maxt };
  }

  truncate(mint: number): Uint32Array {
    this.#mint = Infinity;
    this.#maxt = -Infinity;
    const empty: number[] = [];
    for (const series of this.#bySlot) {
      if (!series) continue;
      series.closed = series.closed.filter((chunk) => chunk.maxt >= mint);
      if (series.open.length > 0 && series.lastT < mint) series.open = [];
      for (const { mint, maxt } of [...series.closed, ...openRange(series.open)]) {
        this.#mint = Math.min(this.#mint, mint);
        this.#maxt = Math.max(this.#maxt, maxt);
      }
      if (series.open.length === 0 && series.closed.length === 0 && !series.rare) empty.push(series.slot);
    }
    return Uint32Array.from(empty);
  }

  collect(slot: number): void {
    const series = this.#at(slot);
    assert(this.#byWalRef.size === 0, 'no series is collected during replay');
    assert(this.#request.slot !== slot, 'the series of a request under way is not collected');
    this.#byLabels.delete(keyOf(series.labels));
    this.#bySlot[slot] = undefined;
    this.#collected.push(slot);
  }

  isEmpty(slot: number): boolean {
    const { open, closed } = this.#at(slot);
    return open.length === 0 && closed.length === 0;
  }

  reuseCollected(): void {
    for (const slot of this.#collected) this.#freeSlots.push(slot);
    this.#collected = [];
  }
}

function openRange(open: readonly PlainSample[]): { mint: number; maxt: number }[] {
  return open.length === 0 ? [] : [{ mint: open[0].t, maxt: open[open.length - 1].t }];
}

function chunksBetween(
  { rare, open, closed }: Series,
  mint: number,
  maxt: number,
  newestOnly: boolean,
): PlainChunk[] {
  const newest = newestOnly && !rare ? open.slice(-1) : [];
  const isEnough = newest.length > 0 && newest[0].t >= mint && newest[0].t <= maxt;
  const held = isEnough ? [] : closed.filter((chunk) => chunk.mint <= maxt && chunk.maxt >= mint);
  const samples = isEnough ? newest : open;
  const chunks: PlainChunk[] = held.map((chunk) => ({ ...chunk, encoding: 0, data: NO_BYTES }));
  for (const range of openRange(samples))
    if (range.mint <= maxt && range.maxt >= mint)
      chunks.push({ ...range, encoding: XOR, ref: -1, data: encodePlainChunk(samples) });
  return chunks;
}

function keyOf(labelBytes: Uint8Array): string {
  return Buffer.from(labelBytes.buffer, labelBytes.byteOffset, labelBytes.length).toString('latin1');
}

function textsOf(labels: Uint8Array): Uint8Array[] {
  const texts: Uint8Array[] = [];
  visitLabels(labels, 0, labels.length, (nameStart, nameEnd, valueStart, valueEnd) => {
    texts.push(labels.subarray(nameStart, nameEnd), labels.subarray(valueStart, valueEnd));
  });
  return texts;
}

/** As `compareLabels`; UTF-8 bytes order as code points do. */
function compareTexts(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = Buffer.compare(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
