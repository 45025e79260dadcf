import { type ErrorCode, messageOf, VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpResponse } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Gauge, Metrics } from '../platform/metrics.ts';
import type { Thread } from '../platform/threads.ts';
import { type CancelFlag, CancelFlags, cancelQuery } from './cancel-flags.ts';
import { FairQueue } from './fair-queue.ts';
import type { JobLimits, QueryJob } from './jobs.ts';
import { PartStream } from './part-stream.ts';
import {
  type BegunQuery,
  type EndedQuery,
  observeAll,
  type QueryFigures,
  type QueryObserver,
  queryText,
} from './query-observer.ts';
import { type Seat, Seats } from './seats.ts';
import type { Answer, FromThread, ToThread } from './thread-protocol.ts';

/** One consistent view of a tenant's data, pinned while a query reads it. */
export interface PinnedView {
  /** Plain data that tells a query thread where to read. A thread keeps it and is told again only when it is another object. */
  readonly description: unknown;
  /** The answer within the limits, where this thread has it in less time than handing the query over takes. */
  answerAtOnce?(limits: JobLimits): Answer | undefined;
  /** What goes along with the query to its thread; called when there is no answer at once. */
  foresee?(): Foreseen;
  /** Answers what a query thread asks of this thread (the head's memory is here). Plain data, and memory to move. */
  serve(request: unknown): Promise<{ reply: unknown; transfer: readonly ArrayBuffer[] }>;
  release(): void;
}

/** Who wants an answer, no longer when the signal aborts. It may be made when it is first looked at. */
export interface QueryCaller {
  readonly signal: AbortSignal;
}

export interface Foreseen {
  /** Plain data for this query only: answers to what it is likely to ask. */
  readonly ready: unknown;
  /** Whether that is all it is likely to ask. */
  readonly isSmall: boolean;
  /** The memory in `ready` that is to be moved. */
  readonly transfer: readonly ArrayBuffer[];
}

const NOTHING_FORESEEN: Foreseen = { ready: undefined, isSmall: false, transfer: [] };

export interface ThreadPoolOptions {
  /** At most; the first is there from the start, further ones are started when they are needed. */
  readonly threads: number;
  /** Over all threads; further queries wait. */
  readonly concurrencyMax: number;
  readonly queuedMax: number;
  readonly timeoutMs: number;
}

interface Task {
  readonly id: number;
  readonly tenant: string;
  readonly job: QueryJob;
  readonly limits: JobLimits;
  readonly view: () => PinnedView;
  readonly enqueuedAt: number;
  readonly timeoutMs: number;
  readonly accepts: string | undefined;
  /** While it runs. */
  cancel?: CancelFlag;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: Error) => void;
  pinned?: PinnedView;
  isSmall: boolean;
  settled: boolean;
  /** Since when it has a thread, monotonic ms. */
  begunAt: number;
  figures?: QueryFigures;
  streamedBytes: number;
  /** The body on its way out, of an answer that streams. */
  stream?: PartStream;
}

/** Runs queries on threads of their own, so that evaluation never holds up ingest. Tenants take turns when all are busy. */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #clock: Clock;
  readonly #seats: Seats<Task>;
  readonly #observer: QueryObserver;
  readonly #queue: FairQueue<Task>;
  readonly #cancels: CancelFlags;
  readonly #inFlight: Gauge;
  readonly #refused: Counter<'reason'>;
  #nextId = 1;
  #running = 0;
  #isDispatching = false;
  #closed = false;

  constructor(
    options: ThreadPoolOptions,
    start: () => Thread,
    clock: Clock,
    log: Logger,
    metrics: Metrics,
    observer: QueryObserver = observeAll([]),
  ) {
    this.#observer = observer;
    this.#options = options;
    this.#clock = clock;
    this.#queue = new FairQueue(options.queuedMax);
    this.#cancels = new CancelFlags(options.concurrencyMax);
    this.#inFlight = metrics.gauge('verona_query_in_flight', 'Queries being evaluated.');
    this.#refused = metrics.counter('verona_query_refused_total', 'Queries ended before an answer.', [
      'reason',
    ]);
    this.#seats = new Seats<Task>(
      {
        threads: options.threads,
        start,
        cancels: this.#cancels.words,
        receive: (seat, message) => this.#receive(seat, message),
        lost: (seat, error) => this.#lose(seat, error),
        back: () => this.#dispatch(),
        describe: ({ tenant, job }) => ({ tenant, query: queryText(job) }),
      },
      clock,
      log,
      metrics,
    );
    this.#seats.grow();
  }

  /**
   * Resolves with the answer. Rejects with `unavailable` when too many wait, `timeout`, or `canceled` when the caller's
   * signal aborts, which is not looked at for an answer that is there at once. `view` is called when the query's turn comes.
   */
  run(
    tenant: string,
    job: QueryJob,
    limits: JobLimits,
    view: () => PinnedView,
    caller: QueryCaller,
    timeoutMs = this.#options.timeoutMs,
    accepts?: string,
  ): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const task: Task = {
        id: this.#nextId++,
        tenant,
        job,
        limits,
        view,
        enqueuedAt: this.#clock.monotonic(),
        timeoutMs: Math.min(timeoutMs, this.#options.timeoutMs),
        accepts,
        resolve,
        reject,
        isSmall: false,
        settled: false,
        begunAt: 0,
        streamedBytes: 0,
      };
      if (this.#closed) return reject(new VeronaError('unavailable', 'the server is stopping'));
      const { outage } = this.#seats;
      if (outage !== undefined) return reject(new VeronaError('unavailable', outage));
      if (!this.#queue.push(tenant, task)) {
        this.#refused.inc({ reason: 'queue_full' });
        return reject(
          new VeronaError(
            'unavailable',
            `too many queries wait (query.max_queued is ${this.#options.queuedMax}); try again later`,
          ),
        );
      }
      this.#dispatch();
      if (task.settled) return;
      const { signal } = caller;
      if (signal.aborted) this.#cancel(task);
      else signal.addEventListener('abort', () => this.#cancel(task), { once: true });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#refuseAll('the server is stopping');
    await this.#seats.stop();
  }

  #refuseAll(why: string): void {
    for (let task = this.#queue.shift(); task; task = this.#queue.shift())
      this.#settle(task, undefined, new VeronaError('unavailable', why));
  }

  #dispatch(): void {
    // A query that ends at once comes back here.
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    const { concurrencyMax } = this.#options;
    try {
      while (this.#running < concurrencyMax && this.#queue.length > 0 && this.#seats.isUp)
        this.#begin(this.#queue.shift() as Task);
    } finally {
      this.#isDispatching = false;
    }
  }

  #begin(task: Task): void {
    task.begunAt = this.#clock.monotonic();
    try {
      if (task.begunAt - task.enqueuedAt > task.timeoutMs)
        throw new VeronaError('timeout', 'query timed out in query queue');
      task.pinned = task.view();
      const known = task.pinned.answerAtOnce?.(task.limits);
      if (known === undefined) this.#hand(task, task.pinned);
      else this.#end(task, known, undefined);
    } catch (error) {
      if (task.cancel === undefined) this.#end(task, undefined, error as Error);
      else this.#finish(task, undefined, error as Error);
    }
  }

  /** Gives a query to a thread. */
  #hand(task: Task, pinned: PinnedView): void {
    this.#running++;
    this.#inFlight.set(this.#running);
    task.cancel = this.#cancels.take();
    this.#observer.began(begun(task));
    const foreseen = pinned.foresee?.() ?? NOTHING_FORESEEN;
    task.isSmall = foreseen.isSmall;
    const seat = task.isSmall ? this.#seats.forSmall() : this.#seats.free();
    if (seat === undefined) throw new VeronaError('unavailable', 'no query thread runs; try again soon');
    seat.running.set(task.id, task);
    this.#send(seat, task, pinned.description, foreseen, task.cancel);
  }

  #send(
    seat: Seat<Task>,
    task: Task,
    description: unknown,
    { ready, transfer }: Foreseen,
    cancel: CancelFlag,
  ): void {
    const waitedMs = task.begunAt - task.enqueuedAt;
    const { number, isNew, dropped = 0 } = seat.views.of(description);
    const message: ToThread = {
      type: 'run',
      id: task.id,
      job: task.job,
      limits: task.limits,
      tenant: task.tenant,
      viewNumber: number,
      view: isNew ? description : undefined,
      droppedView: dropped,
      ready,
      timeoutMs: task.timeoutMs - waitedMs,
      waitedMs,
      accepts: task.accepts,
      cancelIndex: cancel.index,
      cancelTicket: cancel.ticket,
    };
    seat.postSoon(message, transfer);
  }

  #lose(seat: Seat<Task>, error: Error | undefined): void {
    const reason = new VeronaError(
      'execution',
      `the query's thread ended: ${error?.message ?? 'unknown reason'}`,
    );
    for (const task of [...seat.running.values()]) this.#finish(task, undefined, reason);
    const { outage } = this.#seats;
    if (outage !== undefined) this.#refuseAll(outage);
  }

  #receive(seat: Seat<Task>, message: FromThread): void {
    if (message.type === 'wantHelp') {
      this.#seats.grow();
      return;
    }
    const task = seat.running.get(message.id);
    if (message.type === 'ask') {
      this.#serve(seat, task, message.call, message.request);
      return;
    }
    if (!task) return;
    switch (message.type) {
      case 'answer':
        if (message.answer.streams) this.#stream(seat, task, message.answer);
        else this.#finish(task, message.answer, undefined);
        break;
      case 'part':
        task.streamedBytes += message.part.length;
        task.stream?.push(message.part);
        break;
      case 'end':
        this.#finish(task, undefined, undefined);
        break;
      case 'failure':
        this.#finish(
          task,
          undefined,
          new VeronaError(message.error.code as ErrorCode, message.error.message),
        );
    }
  }

  /** The answer has begun; its thread and view stay taken until the last part. */
  #stream(seat: Seat<Task>, task: Task, { status, headers, figures }: Answer): void {
    task.figures = figures;
    const stream = new PartStream(
      (bytes) => seat.post({ type: 'taken', id: task.id, bytes }),
      () => this.#cancel(task),
    );
    if (task.settled) return;
    task.settled = true;
    task.stream = stream;
    task.resolve({ status, headers, body: stream });
  }

  #serve(seat: Seat<Task>, task: Task | undefined, call: number, request: unknown): void {
    const { thread } = seat;
    // A thread in the place of one that ended counts its calls anew.
    const reply = (message: Extract<ToThread, { type: 'reply' }>, transfer: readonly ArrayBuffer[] = []) => {
      if (seat.thread === thread) seat.post(message, transfer);
    };
    const fail = (error: unknown) =>
      reply({
        type: 'reply',
        call,
        reply: undefined,
        error: {
          code: error instanceof VeronaError ? error.code : 'internal',
          message: messageOf(error),
        },
      });
    if (!task?.pinned || task.settled) {
      fail(canceled());
      return;
    }
    task.pinned
      .serve(request)
      .then((served) => reply({ type: 'reply', call, reply: served.reply }, served.transfer), fail);
  }

  #cancel(task: Task): void {
    if (task.settled && !task.stream) return;
    if (task.cancel) cancelQuery(task.cancel);
    this.#refused.inc({ reason: 'canceled' });
    if (this.#queue.remove(task.tenant, task)) this.#settle(task, undefined, canceled());
    else {
      this.#seats.running(task.id)?.post({ type: 'cancel', id: task.id });
      task.stream?.end(canceled());
      this.#settle(task, undefined, canceled());
    }
  }

  /** The query has left its thread: its place and its view are free again. */
  #finish(task: Task, answer: Answer | undefined, error: Error | undefined): void {
    if (task.cancel === undefined) return;
    this.#cancels.release(task.cancel);
    task.cancel = undefined;
    this.#seats.running(task.id)?.running.delete(task.id);
    this.#running--;
    this.#inFlight.set(this.#running);
    this.#end(task, answer, error);
    this.#dispatch();
  }

  #end(task: Task, answer: Answer | undefined, error: Error | undefined): void {
    task.pinned?.release();
    task.stream?.end(error);
    this.#observer.ended(ended(task, answer, error, this.#clock.monotonic()));
    this.#settle(task, answer, error);
  }

  #settle(task: Task, answer: Answer | undefined, error: Error | undefined): void {
    if (task.settled) return;
    task.settled = true;
    if (answer) task.resolve(toResponse(answer));
    else task.reject(error ?? canceled());
  }
}

function begun({ id, tenant, job, enqueuedAt, begunAt }: Task): BegunQuery {
  return { id, tenant, job, waitedMs: begunAt - enqueuedAt };
}

function ended(task: Task, answer: Answer | undefined, error: Error | undefined, now: number): EndedQuery {
  const isCanceled = error === undefined && answer === undefined && !task.stream;
  const code =
    error instanceof VeronaError ? error.code : error ? 'internal' : isCanceled ? 'canceled' : 'ok';
  return {
    ...begun(task),
    tookMs: now - task.begunAt,
    outcome: code,
    error: error?.message,
    figures: answer?.figures ?? task.figures,
    answerBytes: answer === undefined ? task.streamedBytes : bytesOf(answer),
  };
}

function bytesOf({ parts, text }: Answer): number {
  return text?.length ?? parts.reduce((sum, { length }) => sum + length, 0);
}

function toResponse({ status, headers, parts, text }: Answer): HttpResponse {
  if (text !== undefined) return { status, headers, body: text, isLatin1: true };
  return { status, headers, body: parts.length === 1 ? parts[0] : Buffer.concat(parts) };
}

function canceled(): VeronaError {
  return new VeronaError('canceled', 'query was canceled');
}
