import type { QueryKernel } from '../../kernel/query-kernel.ts';
import { VeronaError } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { sleep } from '../../platform/clock.ts';
import type { Querier, ReadContext } from '../../storage/querier.ts';
import { type Annotation, joinAnnotations } from '../annotations.ts';
import type { Span } from '../parser/ast.ts';
import type { Analysis } from './analysis.ts';
import type { KernelPool } from './kernel-pool.ts';
import type { RemoteEngines } from './remote-engines.ts';
import type { PartResult, SeriesTeam } from './series-team.ts';
import type { BudgetAccount, SharedBudget } from './shared-budget.ts';
import type { StepCounts } from './step-counts.ts';
import type { WorkMeter } from './work-meter.ts';

/** What a query may use; every limit is named in the error that reaching it throws. */
export interface QueryLimits {
  /** Samples held at one time. */
  readonly maxSamples: number;
  /** Bytes held at one time in samples and cells. */
  readonly maxBytes: number;
}

/** A time slice after which a query lets other work of its thread run, ms. */
const SLICE_MS = 25;
/** Annotations kept per query; more are dropped silently, as nobody reads a hundred remarks. */
const ANNOTATIONS_MAX = 100;
const SAMPLE_BYTES = 16;
/** What a series costs besides its samples, and after how much work a query is asked whether it is to stop: well below a millisecond. */
const SERIES_WORK = 64;
const CHECKED_WORK = 16_384;
const COMPARISON_WORK = 8;
/** Some 100 MB, aggregations on the way to them included. */
const SUBQUERY_CELLS = 2 ** 21;

/** What a query is run with. */
export interface QueryContextOptions {
  readonly read: ReadContext;
  readonly querier: Querier;
  readonly lookbackMs: number;
  readonly delayedNameRemoval: boolean;
  readonly typeLabels?: boolean;
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly batchCells: number;
  readonly limits: QueryLimits;
  readonly clock: Clock | undefined;
  readonly timeoutMs: number;
  readonly analysis: Analysis | undefined;
  readonly stepCounts: StepCounts | undefined;
  readonly kernels: KernelPool;
  readonly team: SeriesTeam | undefined;
  readonly remote?: RemoteEngines;
  readonly budget?: SharedBudget;
  readonly subqueryCells?: number;
}

/** All that one running query shares: its view of the data, cancellation, budget, and remarks. */
export class QueryContext implements WorkMeter {
  readonly read: ReadContext;
  readonly querier: Querier;
  /** How far an instant selector looks back, ms. */
  readonly lookbackMs: number;
  readonly delayedNameRemoval: boolean;
  /** Series say in `__type__` whether they are counters. */
  readonly typeLabels: boolean;
  /** The start, end and step of the whole query, ms; the step of an instant query is 0. */
  readonly start: number;
  readonly end: number;
  readonly step: number;
  /** Most cells of one batch, unless one row has more. */
  readonly batchCells: number;
  /** Watches the operators when the query is to be analysed. */
  readonly analysis: Analysis | undefined;
  /** Counts samples by step when the query wants statistics. */
  readonly stepCounts: StepCounts | undefined;
  /** Other threads that help; undefined where there are none. */
  readonly team: SeriesTeam | undefined;
  /** Other processes that evaluate parts of the plan; undefined where there are none. */
  readonly remote: RemoteEngines | undefined;
  /** Set when they cannot, after all: the answer is of no use then. */
  isRefused = false;
  readonly limits: QueryLimits;
  /** Most cells of the rows of a subquery that are made at once, where it can do with less. */
  readonly subqueryCells: number;
  readonly #options: QueryContextOptions;
  /** What this is a part of. */
  readonly #whole: QueryContext | undefined;
  readonly #onDone: (() => void)[] = [];
  readonly #kernels: KernelPool;
  /** What the process' other queries are told of what this one holds. */
  readonly #account: BudgetAccount | undefined;
  #kernel: QueryKernel | undefined;
  readonly #clock: Clock | undefined;
  readonly #deadline: number;
  readonly #annotations = new Map<string, Annotation>();
  /** Whose chunks the kernel holds. */
  openedBlock: object | undefined;
  #sliceEnd = 0;
  #held = 0;
  #peak = 0;
  #samplesRead = 0;
  /** Work since the query was last asked whether it is to stop, in samples. */
  #unchecked = 0;

  constructor(options: QueryContextOptions, whole?: QueryContext) {
    this.#options = options;
    this.#whole = whole;
    this.read = options.read;
    this.querier = options.querier;
    this.lookbackMs = options.lookbackMs;
    this.delayedNameRemoval = options.delayedNameRemoval;
    this.typeLabels = options.typeLabels ?? false;
    this.start = options.start;
    this.end = options.end;
    this.step = options.step;
    this.batchCells = options.batchCells;
    this.analysis = options.analysis;
    this.stepCounts = options.stepCounts;
    this.team = options.team;
    this.remote = options.remote;
    this.limits = options.limits;
    this.subqueryCells = options.subqueryCells ?? SUBQUERY_CELLS;
    this.#account = whole === undefined ? options.budget?.forQuery() : undefined;
    this.#clock = options.clock;
    this.#kernels = options.kernels;
    const now = options.clock?.monotonic() ?? 0;
    this.#deadline = whole === undefined ? now + options.timeoutMs : whole.#deadline;
    this.#sliceEnd = now + SLICE_MS;
  }

  /** The one kernel of this query; made when first asked for. */
  get kernel(): QueryKernel {
    this.#kernel ??= this.#kernels.take();
    return this.#kernel;
  }

  /** Ends a query that came to its result. One that failed keeps its kernel, as a part of it may still be at work. */
  finish(): void {
    if (this.#kernel !== undefined) this.#kernels.give(this.#kernel);
    this.#kernel = undefined;
  }

  /** Runs `task` when the query is over, however it ends. */
  whenDone(task: () => void): void {
    this.#onDone.push(task);
  }

  close(): void {
    this.#account?.close();
    for (const task of this.#onDone.splice(0)) task();
  }

  /**
   * Runs a part of the query with a kernel of its own. What it holds counts as the query's and is given back at its end, unless
   * `run` held it of the query itself.
   */
  async inPart<T>(run: (part: QueryContext) => Promise<T>): Promise<T> {
    const part = new QueryContext(this.#options, this);
    try {
      const result = await run(part);
      part.finish();
      this.adopt({ groups: undefined, annotations: part.annotations, samplesRead: part.samplesRead });
      return result;
    } finally {
      part.close();
      this.release(part.#held);
    }
  }

  /** Takes over what another thread noticed about its part of the query. */
  adopt({ annotations, samplesRead }: PartResult): void {
    for (const annotation of annotations) this.#annotate(annotation);
    this.#samplesRead += samplesRead;
  }

  get annotations(): readonly Annotation[] {
    return [...this.#annotations.values()];
  }

  /** Samples decoded so far, and the most that were held at one time. */
  get samplesRead(): number {
    return this.#samplesRead;
  }

  get peakSamples(): number {
    return this.#peak;
  }

  warn(message: string, span?: Span): void {
    this.#annotate({ level: 'warning', message, span });
  }

  /** A warning that tells how often it was given. */
  countedWarning(message: string, span?: Span): void {
    this.#annotate({ level: 'warning', message, span, occurrences: 1 });
  }

  info(message: string, span?: Span): void {
    this.#annotate({ level: 'info', message, span });
  }

  #annotate(annotation: Annotation): void {
    const { level, message, span, occurrences } = annotation;
    const key = `${level} ${span?.start ?? ''} ${message}`;
    const before = this.#annotations.get(key);
    if (before !== undefined && occurrences !== undefined)
      this.#annotations.set(key, joinAnnotations(before, annotation));
    else if (before === undefined && this.#annotations.size < ANNOTATIONS_MAX)
      this.#annotations.set(key, annotation);
  }

  /** Counts the samples of a series that came out of storage, held only while it is worked on; checks now and then. */
  countRead(samples: number): void {
    this.#samplesRead += samples;
    // Below the peak no limit is near, which is true of all but the largest series.
    if (this.#held + samples > this.#peak || this.analysis !== undefined) this.requireRoom(samples);
    this.workedOn(samples);
  }

  /** Counts a row of so many cells that was worked on, and checks now and then: for loops over rows that do not wait. */
  workedOn(cells: number): void {
    this.#worked(cells + SERIES_WORK);
  }

  /** The same for a comparison of two rows. */
  compared(): void {
    this.#worked(COMPARISON_WORK);
  }

  #worked(work: number): void {
    this.#unchecked += work;
    if (this.#unchecked < CHECKED_WORK) return;
    this.#unchecked = 0;
    this.check();
  }

  /** Accounts for samples that are about to be held. Throws `execution` beyond a limit. */
  hold(samples: number): void {
    this.#held += samples;
    this.#whole?.hold(samples);
    this.analysis?.hold(samples);
    this.#account?.set(this.#held);
    if (this.#held > this.#peak) this.#peak = this.#held;
    const { maxSamples, maxBytes } = this.limits;
    if (this.#held > maxSamples)
      throw new VeronaError(
        'execution',
        `query processing would load too many samples into memory in query execution (${this.#held} samples, limit ${maxSamples}, set by query.max_samples)`,
      );
    if (this.#held * SAMPLE_BYTES > maxBytes)
      throw new VeronaError(
        'execution',
        `query processing would load too many bytes into memory in query execution (${this.#held * SAMPLE_BYTES} bytes, limit ${maxBytes}, set by query.max_bytes)`,
      );
  }

  /** Throws `execution` when so many more samples cannot be held. */
  requireRoom(samples: number): void {
    this.hold(samples);
    this.release(samples);
  }

  release(samples: number): void {
    this.#held -= samples;
    this.#whole?.release(samples);
    this.#account?.set(this.#held);
    this.analysis?.hold(-samples);
  }

  /** Throws `canceled` or `timeout` when the query is to stop. Cheap enough to be called per series. */
  check(): void {
    if (this.read.signal.aborted) throw abortError(this.read.signal.reason);
    if (this.#clock !== undefined && this.#clock.monotonic() > this.#deadline)
      throw new VeronaError('timeout', 'query timed out in expression evaluation');
  }

  /** Checks, and lets other work of this thread run when the query has used its time slice. Called between batches. */
  async breathe(): Promise<void> {
    this.check();
    if (this.#clock === undefined || this.#clock.monotonic() < this.#sliceEnd) return;
    await sleep(this.#clock, 0);
    this.#sliceEnd = this.#clock.monotonic() + SLICE_MS;
    this.check();
  }
}

function abortError(reason: unknown): VeronaError {
  if (reason instanceof VeronaError) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError')
    return new VeronaError('timeout', 'query timed out in expression evaluation');
  return new VeronaError('canceled', 'query was canceled in expression evaluation');
}
