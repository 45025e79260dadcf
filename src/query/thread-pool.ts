import { type ErrorCode, VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpResponse } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Gauge, Metrics } from '../platform/metrics.ts';
import { type Movable, newChannel, type Thread } from '../platform/threads.ts';
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
import type { Answer, FromThread, ToThread } from './thread-protocol.ts';
import { makeThreadLoad, type ThreadLoad } from './thread-team.ts';
import { ViewNumbers } from './view-numbers.ts';

/** One consistent view of a tenant's data, pinned while a query reads it. */
export interface PinnedView {
  /** Plain data that tells a query thread where to read. A thread keeps it and is told again only when it is another object. */
  readonly description: unknown;
  /** Plain data for this query only: answers to what it is likely to ask. */
  readonly ready?: unknown;
  /** The memory in `ready` that is to be moved. */
  readonly transfer?: readonly ArrayBuffer[];
  /** Answers what a query thread asks of this thread (the head's memory is here). Plain data, and memory to move. */
  serve(request: unknown): Promise<{ reply: unknown; transfer: readonly ArrayBuffer[] }>;
  release(): void;
}

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
  readonly view: () => Promise<PinnedView> | PinnedView;
  readonly enqueuedAt: number;
  readonly timeoutMs: number;
  readonly accepts: string | undefined;
  /** While it runs. */
  cancel?: CancelFlag;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: Error) => void;
  pinned?: PinnedView;
  settled: boolean;
  /** Since when it has a thread, monotonic ms. */
  begunAt: number;
  figures?: QueryFigures;
  streamedBytes: number;
  /** The body on its way out, of an answer that streams. */
  stream?: PartStream;
}

interface Seat {
  thread: Thread;
  /** How many queries its thread runs, as that tells all others. */
  load: ThreadLoad;
  /** What its thread knows. */
  views: ViewNumbers;
  readonly running: Map<number, Task>;
}

/** Runs queries on threads of their own, so that evaluation never holds up ingest. Tenants take turns when all are busy. */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #start: () => Thread;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #seats: Seat[] = [];
  readonly #observer: QueryObserver;
  readonly #queue: FairQueue<Task>;
  readonly #cancels: CancelFlags;
  readonly #inFlight: Gauge;
  readonly #refused: Counter<'reason'>;
  #nextId = 1;
  #running = 0;
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
    this.#start = start;
    this.#clock = clock;
    this.#log = log;
    this.#queue = new FairQueue(options.queuedMax);
    this.#cancels = new CancelFlags(options.concurrencyMax);
    this.#inFlight = metrics.gauge('verona_query_in_flight', 'Queries being evaluated.');
    this.#refused = metrics.counter('verona_query_refused_total', 'Queries ended before an answer.', [
      'reason',
    ]);
    this.#seats.push(this.#seat());
  }

  /**
   * Resolves with the answer. Rejects with `unavailable` when too many wait, `timeout`, or `canceled` when the signal
   * aborts. `view` is called when the query's turn comes.
   */
  run(
    tenant: string,
    job: QueryJob,
    limits: JobLimits,
    view: () => Promise<PinnedView> | PinnedView,
    signal: AbortSignal,
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
        settled: false,
        begunAt: 0,
        streamedBytes: 0,
      };
      if (signal.aborted) return reject(canceled());
      signal.addEventListener('abort', () => this.#cancel(task), { once: true });
      if (this.#closed) return reject(new VeronaError('unavailable', 'the server is stopping'));
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
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (let task = this.#queue.shift(); task; task = this.#queue.shift())
      this.#settle(task, undefined, new VeronaError('unavailable', 'the server is stopping'));
    await Promise.all(this.#seats.map((seat) => seat.thread.stop()));
  }

  #dispatch(): void {
    while (this.#running < this.#options.concurrencyMax && this.#queue.length > 0) {
      const task = this.#queue.shift() as Task;
      const seat = this.#freeSeat();
      this.#running++;
      this.#inFlight.set(this.#running);
      seat.running.set(task.id, task);
      task.begunAt = this.#clock.monotonic();
      task.cancel = this.#cancels.take();
      this.#observer.began(begun(task));
      this.#begin(seat, task);
    }
  }

  /** The seat with the least to do; a further thread is started when all have something and more are allowed. */
  #freeSeat(): Seat {
    const seat = this.#seats.reduce((best, other) => (other.running.size < best.running.size ? other : best));
    if (seat.running.size === 0 || this.#seats.length >= this.#options.threads) return seat;
    this.#seats.push(this.#seat());
    return this.#seats[this.#seats.length - 1];
  }

  /** At once when the view is there at once: a turn of the loop is much of a small query. */
  #begin(seat: Seat, task: Task): void {
    const fail = (error: unknown) => this.#finish(seat, task, undefined, error as Error);
    const waited = task.begunAt - task.enqueuedAt;
    if (waited > task.timeoutMs) {
      fail(new VeronaError('timeout', 'query timed out in query queue'));
      return;
    }
    try {
      const view = task.view();
      if (view instanceof Promise) view.then((pinned) => this.#send(seat, task, pinned)).catch(fail);
      else this.#send(seat, task, view);
    } catch (error) {
      fail(error);
    }
  }

  #send(seat: Seat, task: Task, pinned: PinnedView): void {
    const { cancel } = task;
    if (!seat.running.has(task.id) || cancel === undefined) {
      // Its thread died meanwhile, and the query with it.
      pinned.release();
      return;
    }
    task.pinned = pinned;
    if (task.settled) {
      this.#finish(seat, task, undefined, canceled());
      return;
    }
    const waitedMs = task.begunAt - task.enqueuedAt;
    const { number, isNew, dropped = 0 } = seat.views.of(pinned.description);
    const message: ToThread = {
      type: 'run',
      id: task.id,
      job: task.job,
      limits: task.limits,
      tenant: task.tenant,
      viewNumber: number,
      view: isNew ? pinned.description : undefined,
      droppedView: dropped,
      ready: pinned.ready,
      timeoutMs: task.timeoutMs - waitedMs,
      waitedMs,
      accepts: task.accepts,
      cancelIndex: cancel.index,
      cancelTicket: cancel.ticket,
    };
    seat.thread.postSoon(message, pinned.transfer);
  }

  #seat(): Seat {
    const seat: Seat = {
      thread: this.#start(),
      load: makeThreadLoad(),
      views: new ViewNumbers(),
      running: new Map(),
    };
    this.#listen(seat);
    return seat;
  }

  /** A new thread gets a channel to every other one, for parts of queries. */
  #listen(seat: Seat): void {
    this.#post(seat, { type: 'seat', load: seat.load, cancels: this.#cancels.words });
    for (const other of this.#seats) {
      if (other === seat) continue;
      const [here, there] = newChannel();
      this.#post(seat, { type: 'peer', port: here, load: other.load }, [here]);
      this.#post(other, { type: 'peer', port: there, load: seat.load }, [there]);
    }
    seat.thread.onMessage((message) => this.#receive(seat, message as FromThread));
    seat.thread.onExit((error) => this.#replace(seat, error));
  }

  /** A thread that died (out of memory, say) takes its queries with it, and only those. */
  #replace(seat: Seat, error: Error | undefined): void {
    if (this.#closed) return;
    this.#log.error('a query thread ended and is replaced', {
      error: error?.message,
      queries: [...seat.running.values()].map(({ tenant, job }) => ({ tenant, query: queryText(job) })),
    });
    const reason = new VeronaError(
      'execution',
      `the query's thread ended: ${error?.message ?? 'unknown reason'}`,
    );
    seat.thread = this.#start();
    seat.load = makeThreadLoad();
    seat.views = new ViewNumbers();
    this.#listen(seat);
    for (const task of [...seat.running.values()]) this.#finish(seat, task, undefined, reason);
  }

  #receive(seat: Seat, message: FromThread): void {
    if (message.type === 'wantHelp') {
      if (this.#seats.length < this.#options.threads && !this.#closed) this.#seats.push(this.#seat());
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
        else this.#finish(seat, task, message.answer, undefined);
        break;
      case 'part':
        task.streamedBytes += message.part.length;
        task.stream?.push(message.part);
        break;
      case 'end':
        this.#finish(seat, task, undefined, undefined);
        break;
      case 'failure':
        this.#finish(
          seat,
          task,
          undefined,
          new VeronaError(message.error.code as ErrorCode, message.error.message),
        );
    }
  }

  /** The answer has begun; its thread and view stay taken until the last part. */
  #stream(seat: Seat, task: Task, { status, headers, figures }: Answer): void {
    task.figures = figures;
    const stream = new PartStream(
      (bytes) => this.#post(seat, { type: 'taken', id: task.id, bytes }),
      () => this.#cancel(task),
    );
    if (task.settled) return;
    task.settled = true;
    task.stream = stream;
    task.resolve({ status, headers, body: stream });
  }

  #serve(seat: Seat, task: Task | undefined, call: number, request: unknown): void {
    const fail = (error: unknown) =>
      this.#post(seat, {
        type: 'reply',
        call,
        reply: undefined,
        error: {
          code: error instanceof VeronaError ? error.code : 'internal',
          message: error instanceof Error ? error.message : String(error),
        },
      });
    if (!task?.pinned || task.settled) {
      fail(canceled());
      return;
    }
    task.pinned
      .serve(request)
      .then(({ reply, transfer }) => this.#post(seat, { type: 'reply', call, reply }, transfer), fail);
  }

  #post(seat: Seat, message: ToThread, transfer?: readonly Movable[]): void {
    seat.thread.post(message, transfer);
  }

  #cancel(task: Task): void {
    if (task.settled && !task.stream) return;
    if (task.cancel) cancelQuery(task.cancel);
    this.#refused.inc({ reason: 'canceled' });
    if (this.#queue.remove(task.tenant, task)) this.#settle(task, undefined, canceled());
    else {
      for (const seat of this.#seats)
        if (seat.running.has(task.id)) this.#post(seat, { type: 'cancel', id: task.id });
      task.stream?.end(canceled());
      this.#settle(task, undefined, canceled());
    }
  }

  /** The query has left its thread: its place and its view are free again. */
  #finish(seat: Seat, task: Task, answer: Answer | undefined, error: Error | undefined): void {
    if (!seat.running.delete(task.id)) return;
    this.#running--;
    this.#inFlight.set(this.#running);
    if (task.cancel) this.#cancels.release(task.cancel);
    task.cancel = undefined;
    task.pinned?.release();
    task.stream?.end(error);
    this.#observer.ended(ended(task, answer, error, this.#clock.monotonic()));
    this.#settle(task, answer, error);
    this.#dispatch();
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
