import { type HeadMemory, SampleOutcome } from '../../kernel/head-memory.ts';
import type { Exemplar } from '../../model/exemplar.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { type Metadata, metricFamily } from '../../model/metadata.ts';
import { isStale } from '../../model/sample.ts';
import type { AppendOutcome } from '../../storage/appender.ts';
import type { ClosedChunks } from './closed-chunks.ts';
import { ExemplarRing } from './exemplar-ring.ts';
import { histogramProblem } from './histogram-problem.ts';
import { LateSamples } from './late-samples.ts';
import { MetricMetadata } from './metric-metadata.ts';
import { RareSeries, type RareValue } from './rare-series.ts';
import { SeriesTable } from './series-table.ts';
import { toLogged, Unlogged } from './unlogged.ts';

/** Metadata of known series are looked at in one request per so long: a change is seen soon, and costs nothing. */
const METADATA_SCAN_INTERVAL_MS = 10_000;

/** What a head keeps and refuses; all times ms. */
export interface HeadLimits {
  /** Length of the blocks the head becomes; chunks never cross a multiple of it. */
  readonly chunkRangeMs: number;
  /** How late a sample may be although its series has a newer one; 0: not at all. */
  readonly outOfOrderWindowMs: number;
  /** How far ahead of the clock a sample may be. */
  readonly futureMs: number;
  readonly exemplarsMax: number;
  /** Keep start timestamps of samples that come with one. */
  readonly keepStartTimes?: boolean;
  /** Put a zero where a start timestamp says that a counter began, as Prometheus' `created-timestamp-zero-ingestion`. */
  readonly ingestStartZeros?: boolean;
}

/**
 * The samples of a head in memory, with Prometheus' rules of what may be appended. Synchronous and without a disk: what
 * was appended waits in `unlogged` (and in the kernel's samples record) for whoever writes the log.
 *
 * Float samples in order are the kernel's; here is the rest: series with histograms, late samples, exemplars, metadata.
 */
export class HeadStore {
  #limits: HeadLimits;
  readonly memory: HeadMemory;
  readonly table: SeriesTable;
  readonly late = new LateSamples();
  readonly exemplars: ExemplarRing;
  readonly metadata = new MetricMetadata();
  readonly unlogged = new Unlogged();
  readonly #closed: ClosedChunks;
  readonly #rare = new Map<number, RareSeries>();
  /** Newest time of a sample of a rare series, and oldest of one in an open chunk at the last truncation. */
  #rareMaxt = Number.NEGATIVE_INFINITY;
  #rareMint = Number.POSITIVE_INFINITY;
  #now = Number.NEGATIVE_INFINITY;
  #metadataScanAt = Number.NEGATIVE_INFINITY;
  #minValidTime = Number.NEGATIVE_INFINITY;
  #minBound = Number.NEGATIVE_INFINITY;
  #maxBound = Number.POSITIVE_INFINITY;
  #maxtAtBounds = Number.NEGATIVE_INFINITY;

  constructor(memory: HeadMemory, closed: ClosedChunks, limits: HeadLimits) {
    this.memory = memory;
    this.#limits = limits;
    this.table = new SeriesTable(memory);
    this.exemplars = new ExemplarRing(limits.exemplarsMax);
    this.#closed = closed;
  }

  get limits(): HeadLimits {
    return this.#limits;
  }

  /** Other limits from the next batch on; the length of blocks stays. */
  setLimits(limits: HeadLimits): void {
    this.#limits = { ...limits, chunkRangeMs: this.#limits.chunkRangeMs };
    this.exemplars.resize(limits.exemplarsMax);
  }

  /** Smallest and largest time of a sample in order; mint > maxt when empty. */
  timeRange(): { mint: number; maxt: number } {
    const { mint, maxt } = this.memory.timeRange();
    return mint > maxt
      ? { mint: this.#rareMint, maxt: this.#rareMaxt }
      : { mint: Math.min(mint, this.#rareMint), maxt: Math.max(maxt, this.#rareMaxt) };
  }

  /** Samples before this are in a block, or never were. */
  get minValidTime(): number {
    return this.#minValidTime;
  }

  /**
   * Never goes back: when all of the head becomes blocks, one range after the other, a sample in a range to come would be
   * taken, acknowledged, and missing in the block that is being written of it.
   */
  raiseMinValidTime(t: number): void {
    this.#minValidTime = Math.max(this.#minValidTime, t);
    this.memory.setBounds(this.#minValidTime, Number.POSITIVE_INFINITY);
  }

  /** To be called before a batch of appends; `now` is the clock's. */
  prepareAppends(now: number): void {
    this.#now = now;
    const { maxt } = this.timeRange();
    // An empty head goes on where the newest block ends.
    this.#maxtAtBounds = Math.max(maxt, this.#minValidTime);
    this.#minBound = Math.max(this.#minValidTime, maxt - this.limits.chunkRangeMs / 2);
    this.#maxBound = now + this.limits.futureMs;
    this.memory.setBounds(this.#minBound, this.#maxBound);
  }

  /** Whether start timestamps mean anything here. */
  get usesStartTimes(): boolean {
    return this.limits.keepStartTimes === true || this.limits.ingestStartZeros === true;
  }

  /** `startT` is when the counter began, ms; 0 when unknown. */
  appendFloat(slot: number, t: number, v: number, startT = 0): AppendOutcome {
    if (startT !== 0 && this.usesStartTimes) return this.#appendStarted(slot, t, v, startT);
    if (this.memory.isRare(slot)) return this.#appendRare(slot, t, v, 0);
    return this.settle(slot, t, v, this.memory.append(slot, t, v));
  }

  /** What an outcome in order means for the client; a late sample is taken here if the window allows. */
  settle(slot: number, t: number, value: RareValue, outcome: SampleOutcome, startT = 0): AppendOutcome {
    const window = this.limits.outOfOrderWindowMs;
    const isLate = outcome === SampleOutcome.outOfOrder || outcome === SampleOutcome.outOfBounds;
    if (!isLate || window === 0) return OUTCOMES[outcome];
    if (t < this.#maxtAtBounds - window) return 'too_old';
    if (!this.late.insert(slot, t, value, startT)) return 'duplicate';
    this.unlogged.late.push(toLogged(this.memory.walRefOf(slot), t, value, startT));
    return 'ok';
  }

  appendHistogram(slot: number, t: number, histogram: AnyHistogram, startT = 0): AppendOutcome {
    if (histogramProblem(histogram) !== undefined) return 'invalid_histogram';
    if (startT !== 0 && this.usesStartTimes) return this.#appendStarted(slot, t, histogram, startT);
    return this.#appendRare(slot, t, histogram, 0);
  }

  appendExemplar(slot: number, exemplar: Exemplar): AppendOutcome {
    const outcome = this.exemplars.add(slot, exemplar);
    if (outcome === 'ok') this.unlogged.exemplars.push({ ref: this.memory.walRefOf(slot), exemplar });
    return outcome;
  }

  /** The series stands for its family in the log, which knows metadata by series; `family` by its name and type if not given. */
  setMetadata(slot: number, metadata: Metadata, family?: string): void {
    const name = family ?? metricFamily(this.table.labelsOf(slot).get(METRIC_NAME), metadata.type);
    if (this.metadata.set(name, metadata))
      this.unlogged.metadata.push({ ref: this.memory.walRefOf(slot), metadata });
  }

  /** Whether the metadata of series that are known is to be looked at again, in the request at hand: now and then. */
  takeMetadataScan(): boolean {
    if (this.#now - this.#metadataScanAt < METADATA_SCAN_INTERVAL_MS) return false;
    this.#metadataScanAt = this.#now;
    return true;
  }

  /** What an append would do now; for writers that decide before they write. Equal times count as another value. */
  check(slot: number, t: number, value: RareValue): AppendOutcome {
    if (t > this.#maxBound) return 'too_far_future';
    const rare = this.#rare.get(slot);
    const outcome =
      t < this.#minBound
        ? SampleOutcome.outOfBounds
        : rare !== undefined
          ? rare.check(t, value)
          : compareTimes(t, slot === 0 ? Number.NEGATIVE_INFINITY : this.memory.lastTimeOf(slot));
    const isLate = outcome === SampleOutcome.outOfOrder || outcome === SampleOutcome.outOfBounds;
    if (!isLate || this.limits.outOfOrderWindowMs === 0) return OUTCOMES[outcome];
    return t < this.#maxtAtBounds - this.limits.outOfOrderWindowMs ? 'too_old' : 'ok';
  }

  /** Time of the newest sample in order, -Infinity when there is none, and its kind when it is a histogram. */
  newestOf(slot: number): { readonly t: number; readonly histogram: 'integer' | 'float' | undefined } {
    const rare = this.#rare.get(slot);
    if (rare === undefined) return { t: this.memory.lastTimeOf(slot), histogram: undefined };
    return { t: rare.lastTime, histogram: rare.lastKind };
  }

  get rareCount(): number {
    return this.#rare.size;
  }

  /** The open chunk's owner of a series with histograms. */
  rareOf(slot: number): RareSeries | undefined {
    return this.#rare.get(slot);
  }

  /** Puts a sample of the log back, without rules of age; false when the series has a newer one. For replay. */
  restoreRare(slot: number, t: number, value: RareValue, startT = 0): boolean {
    return t >= this.#minValidTime && this.#putRare(slot, t, value, startT) === SampleOutcome.ok;
  }

  /** Puts a late sample of the log back. */
  restoreLate(slot: number, t: number, value: RareValue, startT = 0): boolean {
    return this.late.insert(slot, t, value, startT);
  }

  /** Puts a chunk of `chunks_head/` back; chunks of a series come in order. */
  restoreChunk(slot: number, ref: number, mint: number, maxt: number, isFloat: boolean): void {
    if (maxt < this.#minValidTime) return;
    if (!isFloat || this.memory.isRare(slot)) {
      this.#rareSeries(slot).noteClosed(maxt);
      this.#noteRareTime(mint);
      this.#noteRareTime(maxt);
    }
    this.memory.addClosedChunk(slot, ref, mint, maxt);
  }

  /** Forgets what ends before `mint`; returns the slots left without a sample. Late samples keep their series. */
  truncate(mint: number): Uint32Array {
    const empty: number[] = [];
    for (const slot of this.memory.truncate(mint)) if (!this.late.has(slot)) empty.push(slot);
    this.#rareMint = Number.POSITIVE_INFINITY;
    for (const [slot, series] of this.#rare) {
      series.truncate(mint);
      const first = this.#firstTimeOf(slot, series);
      if (first === Number.POSITIVE_INFINITY && !this.late.has(slot)) empty.push(slot);
      this.#rareMint = Math.min(this.#rareMint, first);
    }
    if (this.#rareMint === Number.POSITIVE_INFINITY) this.#rareMaxt = Number.NEGATIVE_INFINITY;
    return Uint32Array.from(empty);
  }

  /** Whether a series has no sample at all in the head. */
  isEmpty(slot: number): boolean {
    const openMint = this.#rare.get(slot)?.openMint ?? Number.POSITIVE_INFINITY;
    return openMint === Number.POSITIVE_INFINITY && this.memory.isEmpty(slot) && !this.late.has(slot);
  }

  /** Frees a series; its slot is not used again before `SeriesTable.collect` is through. */
  collect(slot: number): void {
    this.#rare.delete(slot);
    this.exemplars.removeSlot(slot);
    this.memory.collect(slot);
  }

  #firstTimeOf(slot: number, series: RareSeries): number {
    const all = this.memory.gather(Uint32Array.of(slot), Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    return all.chunkMint.length > 0 ? Math.min(all.chunkMint[0], series.openMint) : series.openMint;
  }

  #appendStarted(slot: number, t: number, value: RareValue, startT: number): AppendOutcome {
    if (this.limits.ingestStartZeros) this.#appendStartZero(slot, t, value, startT);
    if (this.limits.keepStartTimes) return this.#appendRare(slot, t, value, startT);
    return typeof value === 'number' ? this.appendFloat(slot, t, value) : this.#appendRare(slot, t, value, 0);
  }

  /** A zero at the start of a counter, if that is after the newest sample of the series and not of before the head. */
  #appendStartZero(slot: number, t: number, value: RareValue, startT: number): void {
    const newest = this.#rare.get(slot)?.lastTime ?? this.memory.lastTimeOf(slot);
    if (startT >= t || startT <= newest || startT < this.#minBound || isStaleValue(value)) return;
    if (typeof value === 'number') this.appendFloat(slot, startT, 0);
    else this.#appendRare(slot, startT, zeroLike(value), 0);
  }

  #appendRare(slot: number, t: number, value: RareValue, startT: number): AppendOutcome {
    const bounds = this.#checkBounds(slot, t);
    if (bounds !== SampleOutcome.ok) return this.settle(slot, t, value, bounds, startT);
    const outcome = this.#putRare(slot, t, value, startT);
    if (outcome === SampleOutcome.ok) this.#noteUnlogged(slot, t, value, startT);
    return this.settle(slot, t, value, outcome, startT);
  }

  /** A series of floats alone stays one when a histogram for it is late. */
  #checkBounds(slot: number, t: number): SampleOutcome {
    if (t > this.#maxBound) return SampleOutcome.tooFarInFuture;
    if (t < this.#minBound) return SampleOutcome.outOfBounds;
    return this.memory.isRare(slot) ? SampleOutcome.ok : compareTimes(t, this.memory.lastTimeOf(slot));
  }

  #putRare(slot: number, t: number, value: RareValue, startT: number): SampleOutcome {
    const outcome = this.#rareSeries(slot).append(t, value, startT);
    if (outcome === SampleOutcome.ok) this.#noteRareTime(t);
    return outcome;
  }

  #noteRareTime(t: number): void {
    this.#rareMaxt = Math.max(this.#rareMaxt, t);
    this.#rareMint = Math.min(this.#rareMint, t);
  }

  #noteUnlogged(slot: number, t: number, value: RareValue, startT: number): void {
    this.unlogged.rare.push(toLogged(this.memory.walRefOf(slot), t, value, startT));
  }

  #rareSeries(slot: number): RareSeries {
    const known = this.#rare.get(slot);
    if (known !== undefined) return known;
    const newest = this.memory.lastTimeOf(slot);
    this.memory.setRare(slot, true);
    const series = new RareSeries(this.limits.chunkRangeMs, newest, (chunk) => this.#closed.add(slot, chunk));
    this.#rare.set(slot, series);
    return series;
  }
}

function isStaleValue(value: RareValue): boolean {
  return isStale(typeof value === 'number' ? value : value.sum);
}

/** The empty histogram that shares a chunk with `histogram`. */
function zeroLike(histogram: AnyHistogram): AnyHistogram {
  return {
    ...histogram,
    counterResetHint: 'reset',
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: [],
    negativeBuckets: [],
  };
}

function compareTimes(t: number, lastTime: number): SampleOutcome {
  if (t > lastTime) return SampleOutcome.ok;
  return t < lastTime ? SampleOutcome.outOfOrder : SampleOutcome.duplicateValue;
}

/** By `SampleOutcome`. A rare series never gets here. */
const OUTCOMES: readonly AppendOutcome[] = [
  'ok',
  'duplicate',
  'out_of_order',
  'duplicate_value',
  'out_of_bounds',
  'too_far_future',
  'out_of_order',
];
