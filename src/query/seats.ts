import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Gauge, Metrics } from '../platform/metrics.ts';
import { type Movable, newChannel, type Thread } from '../platform/threads.ts';
import type { CancelWords } from './cancel-flags.ts';
import { packToThread, unpackFromThread } from './packed-messages.ts';
import type { FromThread, ToThread } from './thread-protocol.ts';
import { makeThreadLoad, type ThreadLoad } from './thread-team.ts';
import { ViewNumbers } from './view-numbers.ts';

/** A query as its seat sees it. */
export interface SeatedTask {
  readonly id: number;
  /** Whether it has all that it is likely to ask for. */
  readonly isSmall: boolean;
  /** Monotonic ms. */
  readonly begunAt: number;
}

/** The place of one query thread; while a thread that ended is not started again nobody sits there. */
export class Seat<T extends SeatedTask> {
  readonly running = new Map<number, T>();
  thread: Thread | undefined;
  /** How many queries its thread runs, as that tells all others. */
  load: ThreadLoad = makeThreadLoad();
  /** What its thread knows. */
  views = new ViewNumbers();
  /** Threads that ended here without a word, one after the other. */
  failures = 0;

  post(message: ToThread, transfer?: readonly Movable[]): void {
    this.thread?.post(packToThread(message), transfer);
  }

  postSoon(message: ToThread, transfer?: readonly Movable[]): void {
    this.thread?.postSoon(packToThread(message), transfer);
  }

  /** Whether small queries may wait for each other here: all of them are small, few, and none takes long. */
  takesSmall(now: number): boolean {
    if (this.thread === undefined || this.running.size >= SMALL_TOGETHER_MAX) return false;
    for (const task of this.running.values())
      if (!task.isSmall || now - task.begunAt > SMALL_MS_MAX) return false;
    return true;
  }
}

/** Waking a thread costs as much as half a small query, so a few go to one that is awake already. */
const SMALL_TOGETHER_MAX = 16;
const SMALL_MS_MAX = 5;

/** A thread that ends at its start is started again after so long, and twice as long each time. */
const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 30_000;
/** Queries wait for a thread that comes back within this time. */
const WAITED_FOR_MS = 1_000;

export interface SeatOwner<T extends SeatedTask> {
  readonly threads: number;
  readonly start: () => Thread;
  readonly cancels: CancelWords;
  receive(seat: Seat<T>, message: FromThread): void;
  /** Its thread ended, with all that ran there. */
  lost(seat: Seat<T>, error: Error | undefined): void;
  /** There is a thread again. */
  back(): void;
  /** What ran on a thread, for the log. */
  describe(task: T): object;
}

/** The query threads: one more with each `grow` or when all have something to do, and others for those that ended. */
export class Seats<T extends SeatedTask> {
  readonly #owner: SeatOwner<T>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #seats: Seat<T>[] = [];
  readonly #up: Gauge;
  readonly #ended: Counter;
  #closed = false;
  /** Why the last one ended, and when it is started again, monotonic ms. */
  #last: { readonly error: string; readonly againAt: number } | undefined;

  constructor(owner: SeatOwner<T>, clock: Clock, log: Logger, metrics: Metrics) {
    this.#owner = owner;
    this.#clock = clock;
    this.#log = log;
    this.#up = metrics.gauge('verona_query_threads', 'Query threads that run.');
    this.#ended = metrics.counter(
      'verona_query_threads_ended_total',
      'Query threads that ended by a failure.',
    );
  }

  /** The seat with the least to do; a further thread is started when all have something and more are allowed. */
  free(): Seat<T> | undefined {
    let best: Seat<T> | undefined;
    for (const seat of this.#seats)
      if (seat.thread !== undefined && (best === undefined || seat.running.size < best.running.size))
        best = seat;
    if (best === undefined || best.running.size === 0 || this.#seats.length >= this.#owner.threads)
      return best;
    const added = this.#add();
    return added.thread === undefined ? best : added;
  }

  /** The seat for a small query. */
  forSmall(): Seat<T> | undefined {
    const now = this.#clock.monotonic();
    return this.#seats.find((seat) => seat.takesSmall(now)) ?? this.free();
  }

  get isUp(): boolean {
    return this.#seats.some((seat) => seat.thread !== undefined);
  }

  /** Why no query can run, and none soon; undefined when they can. */
  get outage(): string | undefined {
    if (this.isUp || this.#last === undefined) return undefined;
    const waitMs = this.#last.againAt - this.#clock.monotonic();
    return waitMs > WAITED_FOR_MS
      ? `no query thread runs: the last one ended (${this.#last.error}); it is started again in ${Math.ceil(waitMs / 1000)} s`
      : undefined;
  }

  running(id: number): Seat<T> | undefined {
    return this.#seats.find((seat) => seat.running.has(id));
  }

  /** One more thread, if more are allowed. */
  grow(): void {
    if (this.#seats.length < this.#owner.threads && !this.#closed) this.#add();
  }

  async stop(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#seats.map((seat) => seat.thread?.stop()));
  }

  #add(): Seat<T> {
    const seat = new Seat<T>();
    this.#seats.push(seat);
    this.#launch(seat);
    return seat;
  }

  #launch(seat: Seat<T>): void {
    let thread: Thread;
    try {
      thread = this.#owner.start();
    } catch (error) {
      this.#end(seat, error as Error);
      return;
    }
    seat.thread = thread;
    seat.load = makeThreadLoad();
    seat.views = new ViewNumbers();
    this.#count();
    this.#introduce(seat);
    thread.onMessage((message) => {
      if (seat.thread !== thread) return;
      seat.failures = 0;
      this.#owner.receive(seat, unpackFromThread(message));
    });
    thread.onExit((error) => {
      if (seat.thread === thread) this.#end(seat, error);
    });
  }

  /** A new thread gets a channel to every other one, for parts of queries. */
  #introduce(seat: Seat<T>): void {
    seat.post({ type: 'seat', load: seat.load, cancels: this.#owner.cancels });
    for (const other of this.#seats) {
      if (other === seat || other.thread === undefined) continue;
      const [here, there] = newChannel();
      seat.post({ type: 'peer', port: here, load: other.load }, [here]);
      other.post({ type: 'peer', port: there, load: seat.load }, [there]);
    }
  }

  /** A thread that died (out of memory, say) takes its queries with it, and only those. One that said something is replaced at once. */
  #end(seat: Seat<T>, error: Error | undefined): void {
    if (this.#closed) return;
    seat.thread = undefined;
    this.#count();
    this.#ended.inc();
    const againInMs =
      seat.failures === 0 ? 0 : Math.min(RESTART_MS_MIN * 2 ** (seat.failures - 1), RESTART_MS_MAX);
    seat.failures++;
    const reason = error?.message ?? 'unknown reason';
    this.#last = { error: reason, againAt: this.#clock.monotonic() + againInMs };
    this.#log.error('a query thread ended and is replaced', {
      error: reason,
      againInMs,
      queries: [...seat.running.values()].map((task) => this.#owner.describe(task)),
    });
    if (againInMs === 0) this.#launch(seat);
    else this.#clock.after(againInMs, () => this.#relaunch(seat));
    this.#owner.lost(seat, error);
  }

  #relaunch(seat: Seat<T>): void {
    if (this.#closed) return;
    this.#launch(seat);
    if (seat.thread !== undefined) this.#owner.back();
  }

  #count(): void {
    this.#up.set(this.#seats.filter((seat) => seat.thread !== undefined).length);
  }
}
