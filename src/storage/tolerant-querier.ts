import { messageOf, VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { LinkedSignal } from './linked-signal.ts';
import type { ExemplarSeries, LabelRequest, Querier, ReadContext, SelectRequest } from './querier.ts';
import type { SeriesBatch } from './series-batch.ts';

export interface Tolerance {
  /** `warn`: a failure becomes a warning, and what came before it counts. `abort`: it fails the answer. */
  readonly onFailure: 'warn' | 'abort';
  /** A source that gives nothing for so long has failed, ms; 0 for no limit. */
  readonly stallMs: number;
  /** Names the source in warnings and errors. */
  readonly name: string;
}

/** A source that may fail or stall without taking the others with it. Cancellation of the whole read is never a warning. */
export class TolerantQuerier implements Querier {
  readonly #source: Querier;
  readonly #tolerance: Tolerance;
  readonly #clock: Clock;
  readonly #failures = new Set<string>();

  constructor(source: Querier, tolerance: Tolerance, clock: Clock) {
    this.#source = source;
    this.#tolerance = tolerance;
    this.#clock = clock;
  }

  get warnings(): readonly string[] {
    return [...this.#source.warnings, ...this.#failures];
  }

  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const signal = new LinkedSignal(ctx.signal);
    let restart = () => {};
    const batches = this.#source
      .select({ ...ctx, signal, progress: () => restart() }, request)
      [Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#inTime(
          signal,
          () => batches.next(),
          (again) => {
            restart = again;
          },
        );
        if (next.done) return;
        yield next.value;
      }
    } catch (error) {
      this.#tolerate(ctx, error);
    } finally {
      signal.abort(new VeronaError('canceled', 'the select has ended'));
      // Not awaited: a source that hears no signal must not hold up the others.
      Promise.resolve(batches.return?.()).catch(() => {});
    }
  }

  labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    return this.#whole(ctx, [], (inner) => this.#source.labelNames(inner, request));
  }

  labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    return this.#whole(ctx, [], (inner) => this.#source.labelValues(inner, name, request));
  }

  exemplars(
    ctx: ReadContext,
    ...request: Parameters<Querier['exemplars']> extends [unknown, ...infer Rest] ? Rest : never
  ): Promise<readonly ExemplarSeries[]> {
    return this.#whole(ctx, [], (inner) => this.#source.exemplars(inner, ...request));
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #whole<T>(ctx: ReadContext, empty: T, ask: (inner: ReadContext) => Promise<T>): Promise<T> {
    const signal = new LinkedSignal(ctx.signal);
    try {
      return await this.#inTime(signal, () => ask({ ...ctx, signal }));
    } catch (error) {
      this.#tolerate(ctx, error);
      return empty;
    } finally {
      signal.abort(new VeronaError('canceled', 'the request has ended'));
    }
  }

  #tolerate({ signal }: ReadContext, error: unknown): void {
    const { onFailure, name } = this.#tolerance;
    if (signal.aborted || onFailure === 'abort') throw error;
    const message = messageOf(error);
    this.#failures.add(message.startsWith(name) ? message : `${name}: ${message}`);
  }

  /** Rejects when the source takes too long or the signal aborts, whatever the source does about it. */
  async #inTime<T>(
    signal: LinkedSignal,
    ask: () => Promise<T>,
    onStart: (restart: () => void) => void = () => {},
  ): Promise<T> {
    const { stallMs, name } = this.#tolerance;
    let stopTimer = () => {};
    let onAbort = () => {};
    const ended = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const startTimer = () => {
        stopTimer();
        stopTimer = this.#clock.after(stallMs, () =>
          signal.abort(new VeronaError('timeout', `${name}: nothing came for ${stallMs / 1000} s`)),
        );
      };
      if (stallMs <= 0) return;
      startTimer();
      onStart(startTimer);
    });
    try {
      signal.throwIfAborted();
      return await Promise.race([ask(), ended]);
    } finally {
      onStart(() => {});
      stopTimer();
      signal.removeEventListener('abort', onAbort);
    }
  }
}
