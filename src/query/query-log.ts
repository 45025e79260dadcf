import type { Clock } from '../platform/clock.ts';
import type { Disk, DiskFile } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Metrics } from '../platform/metrics.ts';
import { type EndedQuery, type QueryObserver, queryText, queryTimes, timeText } from './query-observer.ts';

export interface QueryLogOptions {
  /** Every query becomes a line of JSON here; empty for no file. */
  readonly path: string;
  /** A query that takes longer is a warning in the log; 0 for none. */
  readonly slowMs: number;
}

/** Lines that wait for a slow disk; more are dropped and counted. */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
const QUERY_LENGTH_MAX = 16_384;

/** Every query in a file of its own, in the form of Prometheus' query log, and slow ones in the log. */
export class QueryLog implements QueryObserver {
  readonly name = 'query log';
  readonly #options: QueryLogOptions;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #dropped: Counter;
  #file: DiskFile | undefined;
  #size = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #work: Promise<void> | undefined;
  #failed = false;

  constructor(options: QueryLogOptions, disk: Disk, clock: Clock, log: Logger, metrics: Metrics) {
    this.#options = options;
    this.#disk = disk;
    this.#clock = clock;
    this.#log = log;
    this.#dropped = metrics.counter(
      'verona_query_log_dropped_total',
      'Lines of the query log that were not written, because the disk was slow or failed.',
    );
  }

  /** Rejects when the file cannot be opened. */
  async start(): Promise<void> {
    if (this.#options.path !== '') await this.#open();
  }

  async stop(): Promise<void> {
    await this.#work;
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Opens the file by its name again, so that it can be rotated. Resolves also when that fails, after a word in the log. */
  async reopen(): Promise<void> {
    if (this.#options.path === '') return;
    await this.#work;
    const before = this.#file;
    try {
      await this.#open();
      await before?.close();
    } catch (error) {
      this.#log.error('the query log was not opened again; the old file is written on', {
        file: this.#options.path,
        error: String(error),
      });
    }
  }

  began(): void {}

  ended(query: EndedQuery): void {
    const { slowMs } = this.#options;
    if (slowMs > 0 && query.tookMs >= slowMs) this.#log.warn('a slow query', this.#fields(query));
    if (this.#file === undefined) return;
    const line = new TextEncoder().encode(`${JSON.stringify(this.#line(query))}\n`);
    if (this.#pendingBytes + line.length > PENDING_BYTES_MAX) {
      this.#dropped.inc();
      return;
    }
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    this.#work ??= this.#drain().finally(() => {
      this.#work = undefined;
    });
  }

  async #open(): Promise<void> {
    const file = await this.#disk.open(this.#options.path, 'write');
    this.#size = await file.size();
    this.#file = file;
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0 && this.#file !== undefined) {
      const lines = this.#pending;
      const bytes = this.#pendingBytes;
      this.#pending = [];
      this.#pendingBytes = 0;
      try {
        await this.#file.writeAt(lines, this.#size);
        this.#size += bytes;
        this.#failed = false;
      } catch (error) {
        this.#dropped.inc(lines.length);
        if (!this.#failed)
          this.#log.error('the query log was not written', {
            file: this.#options.path,
            error: String(error),
          });
        this.#failed = true;
      }
    }
  }

  #fields({ tenant, job, tookMs, waitedMs, outcome, error, figures, answerBytes }: EndedQuery) {
    return {
      tenant,
      query: queryText(job).slice(0, QUERY_LENGTH_MAX),
      ...queryTimes(job),
      seconds: seconds(tookMs),
      waitedSeconds: seconds(waitedMs),
      samples: figures?.samplesRead,
      peakSamples: figures?.peakSamples,
      answerBytes,
      outcome,
      ...(error !== undefined && { error }),
    };
  }

  /** Prometheus' keys, and beside them the tenant, the outcome and the bytes. */
  #line(query: EndedQuery) {
    const { tenant, job, tookMs, waitedMs, outcome, error, figures, answerBytes } = query;
    return {
      params: { query: queryText(job).slice(0, QUERY_LENGTH_MAX), ...queryTimes(job) },
      stats: {
        timings: {
          evalTotalTime: seconds((figures?.planMs ?? 0) + (figures?.evaluationMs ?? 0)),
          queryPreparationTime: seconds(figures?.planMs ?? 0),
          innerEvalTime: seconds(figures?.evaluationMs ?? 0),
          execQueueTime: seconds(waitedMs),
          execTotalTime: seconds(waitedMs + tookMs),
        },
        samples: { samplesRead: figures?.samplesRead ?? 0, peakSamples: figures?.peakSamples ?? 0 },
      },
      ts: timeText(this.#clock.now()),
      tenant,
      kind: job.kind,
      outcome,
      ...(error !== undefined && { error }),
      answerBytes,
    };
  }
}

function seconds(ms: number): number {
  return Number((ms / 1000).toFixed(6));
}
