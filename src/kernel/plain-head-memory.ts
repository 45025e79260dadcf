import { type ByteParts, joinParts } from '../encoding/byte-parts.ts';
import { visitLabels } from '../encoding/label-bytes.ts';
import { WireError, WireReader, WireType } from '../encoding/protobuf.ts';
import { snappyDecompress } from '../encoding/snappy.ts';
import { type ByteCursor, putVarint, readBigUvarint, unzigzag } from '../encoding/varint.ts';
import { VeronaError } from '../model/errors.ts';
import { assert } from '../platform/assert.ts';
import {
  CHUNK_RANGE_MS,
  type GatheredSeries,
  type HeadMemory,
  type HeadMemoryOptions,
  IngestEvent,
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
import {
  isCanonical,
  labelBudget,
  type PlainTimeSeries,
  readSample,
  readSymbols,
  readTimeSeries,
} from './plain-write-request.ts';

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

/** A request under way. */
interface Request {
  readonly body: Uint8Array;
  readonly reader: WireReader;
  readonly symbols: readonly Uint8Array[] | undefined;
  /** The TimeSeries whose samples are being appended, and how many of them were. */
  current:
    | { series: PlainTimeSeries; labelsCanonical: boolean; slot: number; samplesDone: number }
    | undefined;
  /** Label bytes that may still be made (2.0). */
  labelBudget: number;
  over: boolean;
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
  #logged: { ref: number; sample: PlainSample }[] = [];
  #closedBytes: Uint8Array[] = [];
  #fileSequence = 0;
  #fileOffset = 0;
  #request: Request | undefined;
  #writeSamples = 0;
  #writeDuplicates = 0;

  readonly event: IngestEventDetail = {
    slot: 0,
    labels: NO_BYTES,
    labelsCanonical: false,
    seriesStart: 0,
    seriesEnd: 0,
    metadataStart: 0,
    metadataEnd: 0,
    fieldNumber: 0,
    t: 0,
    v: 0,
    outcome: SampleOutcome.ok,
    offset: 0,
    reason: '',
  };

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
    return this.#append(this.#at(slot), t, bitsOf(v));
  }

  #append(series: Series, t: number, bits: bigint): SampleOutcome {
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
  beginWrite(body: ByteParts, decodedMax: number): void {
    this.#begin(body, decodedMax, false);
  }

  beginWriteV2(body: ByteParts, decodedMax: number): void {
    this.#begin(body, decodedMax, true);
  }

  #begin(compressed: ByteParts, decodedMax: number, isV2: boolean): void {
    this.#request = undefined;
    this.#writeSamples = 0;
    this.#writeDuplicates = 0;
    const body = snappyDecompress(joinParts(compressed), decodedMax);
    const symbols = isV2 ? readSymbols(body) : undefined;
    this.#request = {
      body,
      reader: new WireReader(body),
      symbols,
      current: undefined,
      labelBudget: labelBudget(body.length),
      over: false,
    };
  }

  decoded(): Uint8Array {
    return this.#request?.body ?? NO_BYTES;
  }

  get writeSamples(): number {
    return this.#writeSamples;
  }

  get writeDuplicates(): number {
    return this.#writeDuplicates;
  }

  resume(): IngestEvent {
    const request = this.#request;
    assert(request, 'a request has begun');
    if (request.over) return IngestEvent.done;
    try {
      return this.#advance(request);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      request.over = true;
      request.current = undefined;
      this.event.offset = error.offset;
      this.event.reason = error.reason;
      return IngestEvent.malformed;
    }
  }

  #advance(request: Request): IngestEvent {
    const { reader } = request;
    for (;;) {
      const event = this.#finishCurrent(request);
      if (event !== undefined) return event;
      if (!reader.next()) {
        request.over = true;
        return IngestEvent.done;
      }
      const next =
        reader.field === (request.symbols ? 5 : 1) ? this.#enter(request) : this.#otherField(request);
      if (next !== undefined) return next;
    }
  }

  #otherField({ reader, symbols }: Request): IngestEvent | undefined {
    if (symbols && reader.field === 4) {
      reader.expect(WireType.bytes);
      return undefined;
    }
    this.event.fieldNumber = reader.field;
    this.event.seriesStart = reader.valueStart;
    this.event.seriesEnd = reader.valueEnd;
    return IngestEvent.otherField;
  }

  /** Looks the series up; undefined when its samples can be appended or there are none. */
  #enter(request: Request): IngestEvent | undefined {
    const { reader, body, symbols } = request;
    reader.expect(WireType.bytes);
    const series = readTimeSeries(body, reader.valueStart, reader.valueEnd, symbols);
    request.labelBudget -= symbols ? series.labels.length : 0;
    if (request.labelBudget < 0) throw new WireError('labels of the request too long', series.start);
    if (series.samples.length === 0 && !series.hasOthers) return undefined;
    const slot = this.find(series.labels);
    const labelsCanonical = slot !== 0 || isCanonical(series.labels, series.start);
    if (series.hasOthers) return this.#rareEvent(series, slot, labelsCanonical);
    request.current = { series, labelsCanonical, slot, samplesDone: 0 };
    if (slot !== 0) return undefined;
    this.#describe(series, 0, labelsCanonical);
    return IngestEvent.newSeries;
  }

  #rareEvent(series: PlainTimeSeries, slot: number, labelsCanonical: boolean): IngestEvent {
    this.#describe(series, slot, labelsCanonical);
    return IngestEvent.rareSeries;
  }

  #describe(series: PlainTimeSeries, slot: number, labelsCanonical: boolean): void {
    const { event } = this;
    event.slot = slot;
    event.labels = series.labels;
    event.labelsCanonical = labelsCanonical;
    event.seriesStart = series.start;
    event.seriesEnd = series.end;
    event.metadataStart = series.metadataStart;
    event.metadataEnd = series.metadataEnd;
  }

  adopt(slot: number): void {
    const current = this.#request?.current;
    assert(current && current.slot === 0, 'adopt answers newSeries');
    if (slot !== 0) this.#at(slot);
    current.slot = slot;
  }

  adoptNew(walRef: number): number {
    assert(this.event.labelsCanonical, 'adoptNew answers newSeries with canonical labels');
    const slot = this.create(this.event.labels, walRef);
    this.adopt(slot);
    return slot;
  }

  /** Appends what is left of the TimeSeries under way. */
  #finishCurrent(request: Request): IngestEvent | undefined {
    const { current, body } = request;
    if (!current) return undefined;
    if (current.slot !== 0) {
      const series = this.#at(current.slot);
      if (current.samplesDone === 0 && series.rare) {
        request.current = undefined;
        return this.#rareEvent(current.series, current.slot, current.labelsCanonical);
      }
      while (current.samplesDone < current.series.samples.length) {
        const [start, end] = current.series.samples[current.samplesDone++];
        const outcome = this.#appendWritten(series, readSample(body, start, end));
        if (outcome !== SampleOutcome.ok) return IngestEvent.refusedSample;
      }
    }
    request.current = undefined;
    return undefined;
  }

  #appendWritten(series: Series, { t, v }: { t: bigint; v: number }): SampleOutcome {
    const outcome = this.#append(series, Number(t), bitsOf(v));
    if (outcome === SampleOutcome.ok || outcome === SampleOutcome.duplicate) {
      this.#writeSamples++;
      if (outcome === SampleOutcome.duplicate) this.#writeDuplicates++;
      return SampleOutcome.ok;
    }
    Object.assign(this.event, { slot: series.slot, t: Number(t), v, outcome });
    return outcome;
  }

  // ── log ───────────────────────────────────────────────────────────────────
  takeSamplesRecord(): Uint8Array {
    const logged = this.#logged;
    this.#logged = [];
    if (logged.length === 0) return NO_BYTES;
    const out = new Uint8Array(17 + 28 * logged.length);
    const view = new DataView(out.buffer);
    const first = { ref: logged[0].ref, t: logged[0].sample.t };
    out[0] = 2;
    view.setBigUint64(1, BigInt(first.ref));
    view.setBigInt64(9, BigInt(first.t));
    let at = 17;
    for (const { ref, sample } of logged) {
      at = putVarint(out, at, ref - first.ref);
      at = putVarint(out, at, sample.t - first.t);
      view.setBigUint64(at, sample.bits);
      at += 8;
    }
    return out.slice(0, at);
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
    if (record[0] !== 2) throw new VeronaError('corrupt', 'samples record: bad type at 0');
    if (record.length === 1) return counts;
    if (record.length < 17) throw new VeronaError('corrupt', 'samples record: cut off at 1');
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    const firstRef = view.getBigUint64(1);
    const firstT = view.getBigInt64(9);
    const cursor: ByteCursor = { bytes: record, at: 17, end: record.length };
    while (cursor.at < record.length) {
      const start = cursor.at;
      const ref = BigInt.asUintN(64, firstRef + logVarint(cursor, start));
      const t = BigInt.asIntN(64, firstT + logVarint(cursor, start));
      if (record.length - cursor.at < 8)
        throw new VeronaError('corrupt', `samples record: cut off at ${start}`);
      const bits = view.getBigUint64(cursor.at);
      cursor.at += 8;
      this.#replay(Number(ref), Number(t), bits, counts);
    }
    return counts;
  }

  #replay(ref: number, t: number, bits: bigint, counts: ReplayCounts): void {
    const slot = this.#byWalRef.get(ref);
    if (slot === undefined) {
      counts.unknownRefs++;
      return;
    }
    const series = this.#at(slot);
    if (series.rare) counts.rare++;
    else if (!Number.isSafeInteger(t) || t < this.#minValid || t <= series.lastT) counts.skipped++;
    else {
      this.#store(series, { t, bits });
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
    const labels: Uint8Array[] = [];
    const chunks: { mint: number; maxt: number; encoding: number; ref: number; data: Uint8Array }[] = [];
    const chunkStarts = new Uint32Array(slots.length + 1);
    slots.forEach((slot, i) => {
      const series = this.#at(slot);
      labels.push(series.labels);
      const newest = newestOnly && !series.rare ? series.open.slice(-1) : [];
      const isEnough = newest.length > 0 && newest[0].t >= mint && newest[0].t <= maxt;
      const open = isEnough ? newest : series.open;
      for (const chunk of isEnough ? [] : series.closed)
        if (chunk.mint <= maxt && chunk.maxt >= mint) chunks.push({ ...chunk, encoding: 0, data: NO_BYTES });
      if (open.length > 0 && open[0].t <= maxt && open[open.length - 1].t >= mint)
        chunks.push({
          mint: open[0].t,
          maxt: open[open.length - 1].t,
          encoding: XOR,
          ref: -1,
          data: encodePlainChunk(open),
        });
      chunkStarts[i + 1] = chunks.length;
    });
    return {
      seriesCount: slots.length,
      labelBytes: new Uint8Array(Buffer.concat(labels)),
      labelOffsets: Uint32Array.from([0, ...runningSum(labels)]),
      chunkStarts,
      chunkMint: Float64Array.from(chunks, (chunk) => chunk.mint),
      chunkMaxt: Float64Array.from(chunks, (chunk) => chunk.maxt),
      chunkEncoding: Uint8Array.from(chunks, (chunk) => chunk.encoding),
      chunkRef: Float64Array.from(chunks, (chunk) => chunk.ref),
      chunkDataOffset: Uint32Array.from(
        [0, ...runningSum(chunks.map((chunk) => chunk.data))].slice(0, chunks.length),
      ),
      chunkDataLength: Uint32Array.from(chunks, (chunk) => chunk.data.length),
      chunkData: new Uint8Array(Buffer.concat(chunks.map((chunk) => chunk.data))),
    };
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
      for (const { mint, maxt } of [...series.closed, ...openRange(series)]) {
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
    assert(this.#request?.current?.slot !== slot, 'the series of a request under way is not collected');
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

function openRange({ open }: Series): { mint: number; maxt: number }[] {
  return open.length === 0 ? [] : [{ mint: open[0].t, maxt: open[open.length - 1].t }];
}

function runningSum(arrays: readonly Uint8Array[]): number[] {
  let sum = 0;
  return arrays.map((array) => (sum += array.length));
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

const scratch = new DataView(new ArrayBuffer(8));

function bitsOf(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

function logVarint(cursor: ByteCursor, sampleStart: number): bigint {
  try {
    return unzigzag(readBigUvarint(cursor));
  } catch (error) {
    throw new VeronaError('corrupt', `samples record: bad varint at ${sampleStart}`, { cause: error });
  }
}
