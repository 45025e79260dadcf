import type { VeronaError } from '../model/errors.ts';
import { assert } from '../platform/assert.ts';
import type { Clock } from '../platform/clock.ts';
import { compressBody, latin1Text } from '../platform/compress-body.ts';
import type { Port } from '../platform/threads.ts';
import type { KernelPool } from '../promql/exec/kernel-pool.ts';
import type { RemoteEngines } from '../promql/exec/remote-engines.ts';
import { limitQueryable } from '../storage/limited-querier.ts';
import type { Queryable } from '../storage/querier.ts';
import { secondLook } from '../storage/second-look.ts';
import type { CancelWords } from './cancel-flags.ts';
import type { QueryHelpers } from './evaluation-answer.ts';
import type { JobLimits, QueryJob } from './jobs.ts';
import { packFromThread, unpackToThread } from './packed-messages.ts';
import { fromPlainError, toPlainError } from './plain-error.ts';
import { querySignal, type SharedSignal } from './shared-signal.ts';
import { TeamHost } from './team-host.ts';
import type { Answer, FromThread, ThreadAnswer, ToThread } from './thread-protocol.ts';
import { type ThreadLoad, ThreadTeam } from './thread-team.ts';

/** Asks the main thread something about the view of a running query. */
export type Ask = (request: unknown) => Promise<unknown>;

/** The sources of a query, and the processes that evaluate parts of it. */
export interface QuerySource extends Queryable {
  readonly remote?: RemoteEngines;
  /** As the engine's option of that name. */
  readonly spacingOf?: (mint: number, maxt: number) => number;
}

/** What a query is run for; `ready` has answers to what is likely to be asked. */
export type OpenedRun = Pick<
  Extract<ToThread, { type: 'run' }>,
  'tenant' | 'view' | 'ready' | 'job' | 'limits' | 'timeoutMs'
>;

export interface ThreadHostOptions {
  /** Opens the sources that a view describes; with `verifiesChunks` those elsewhere check every chunk before they give it. */
  readonly open: (run: OpenedRun, ask: Ask, verifiesChunks: boolean) => QuerySource;
  readonly answer: (
    job: QueryJob,
    limits: JobLimits,
    queryable: Queryable,
    signal: AbortSignal,
    waitedMs: number,
    helpers: QueryHelpers,
  ) => Promise<ThreadAnswer>;
  readonly clock: Clock;
  /** For parts of queries of other threads. */
  readonly kernels: KernelPool;
}

/** The inside of a query thread: runs jobs as they come, several interleaved where they wait for data. */
export class ThreadHost {
  readonly #port: Port;
  readonly #options: ThreadHostOptions;
  readonly #signals = new Map<number, SharedSignal>();
  readonly #windows = new Map<number, SendWindow>();
  readonly #calls = new Map<number, { resolve: (reply: unknown) => void; reject: (error: Error) => void }>();
  readonly #team: ThreadTeam;
  readonly #views = new Map<number, unknown>();
  #load: ThreadLoad | undefined;
  #cancels: CancelWords | undefined;
  #nextCall = 1;

  constructor(port: Port, options: ThreadHostOptions) {
    this.#port = port;
    this.#options = options;
    this.#team = new ThreadTeam(options.clock, () => this.#post({ type: 'wantHelp' }));
    port.onMessage((message) => this.#receive(unpackToThread(message)));
  }

  #receive(message: ToThread): void {
    switch (message.type) {
      case 'run':
        this.#run(message).catch((error: unknown) =>
          this.#post({ type: 'failure', id: message.id, error: toPlainError(error) }),
        );
        break;
      case 'seat':
        this.#load = message.load;
        this.#cancels = message.cancels;
        break;
      case 'peer': {
        const port = this.#team.meet(message.port, message.load);
        new TeamHost(port, this.#options.clock, this.#options.kernels);
        break;
      }
      case 'cancel':
        this.#signals.get(message.id)?.notify();
        break;
      case 'taken':
        this.#windows.get(message.id)?.take(message.bytes);
        break;
      case 'reply': {
        const call = this.#calls.get(message.call);
        this.#calls.delete(message.call);
        if (message.error) call?.reject(fromPlainError(message.error));
        else call?.resolve(message.reply);
      }
    }
  }

  async #run(run: Extract<ToThread, { type: 'run' }>): Promise<void> {
    const { clock, open, answer } = this.#options;
    const deadline = clock.monotonic() + run.timeoutMs;
    const view = this.#viewOf(run);
    const words = this.#cancels;
    assert(words !== undefined, 'a thread has its seat before its first query');
    const cancel = { words, index: run.cancelIndex, ticket: run.cancelTicket };
    const signal = querySignal(cancel, clock, deadline);
    const stopTimer = signal.notifyAtDeadline();
    this.#signals.set(run.id, signal);
    if (this.#load) Atomics.add(this.#load, 0, 1);
    try {
      const sending = new Sending();
      await secondLook(async (verifiesChunks, failure) => {
        // What was at hand the first time may have been given away.
        const opened = { ...run, view, ...(verifiesChunks && { ready: [] }) };
        const queryable = open(opened, (request) => this.#ask(run.id, request), verifiesChunks);
        const limited = limitQueryable(queryable, run.limits);
        const team = this.#team.forQuery(cancel, deadline);
        const { remote, spacingOf } = queryable;
        const { job, limits, waitedMs } = run;
        const result = await answer(job, limits, limited, signal, waitedMs, {
          team,
          remote,
          spacingOf,
        });
        const { stream, ...whole } = result;
        if (failure !== undefined && sending.hasBegun) await failAgain(stream, failure);
        else if (stream) await this.#stream(run.id, whole, stream, signal, sending);
        else await this.#answer(run, whole);
      });
    } finally {
      this.#windows.delete(run.id);
      if (this.#load) Atomics.sub(this.#load, 0, 1);
      this.#signals.delete(run.id);
      stopTimer();
    }
  }

  async #answer({ id, accepts, job }: Extract<ToThread, { type: 'run' }>, whole: Answer): Promise<void> {
    const packed = await packAnswer(whole, accepts, job);
    const message: FromThread = { type: 'answer', id, answer: packed };
    this.#port.postSoon(packFromThread(message), movable(packed));
  }

  #viewOf({ viewNumber, view, droppedView }: Extract<ToThread, { type: 'run' }>): unknown {
    this.#views.delete(droppedView);
    if (view !== undefined) this.#views.set(viewNumber, view);
    return this.#views.get(viewNumber);
  }

  /** The answer goes out with its first part: what fails before is an error of the whole request. Parts are moved. */
  async #stream(
    id: number,
    head: Answer,
    stream: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    sending: Sending,
  ): Promise<void> {
    const window = new SendWindow();
    this.#windows.set(id, window);
    const begin = () => {
      if (!sending.hasBegun) this.#post({ type: 'answer', id, answer: { ...head, streams: true } });
      sending.hasBegun = true;
    };
    for await (const part of stream) {
      signal.throwIfAborted();
      begin();
      const bytes = part.length;
      this.#post({ type: 'part', id, part }, movable({ parts: [part] }));
      await window.put(bytes, signal);
    }
    begin();
    this.#post({ type: 'end', id });
  }

  #ask(id: number, request: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.#nextCall++;
      this.#calls.set(call, { resolve, reject });
      this.#post({ type: 'ask', id, call, request });
    });
  }

  #post(message: FromThread, transfer?: readonly ArrayBuffer[]): void {
    this.#port.post(message, transfer);
  }
}

/** Whether a part of an answer has gone out, which then cannot begin anew. */
class Sending {
  hasBegun = false;
}

/**
 * Reads a stream only to find out who sent what did not decode: fails as the stream does, with a name, or else with what the
 * first look failed with, since the answer had begun without knowing whom to leave out.
 */
async function failAgain(
  stream: AsyncIterable<Uint8Array> | undefined,
  failure: VeronaError,
): Promise<never> {
  if (stream) for await (const _ of stream);
  throw failure;
}

const WINDOW_BYTES = 4 * 1024 * 1024;

/** How far a thread may be ahead of who reads its stream. */
class SendWindow {
  #waiting = 0;
  #wake: (() => void) | undefined;

  take(bytes: number): void {
    this.#waiting -= bytes;
    this.#wake?.();
  }

  /** Counts what was sent, and waits while that is more than the window. Throws when the signal aborts. */
  async put(bytes: number, signal: AbortSignal): Promise<void> {
    this.#waiting += bytes;
    while (this.#waiting > WINDOW_BYTES) {
      signal.throwIfAborted();
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = () => resolve();
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      await promise;
      signal.removeEventListener('abort', wake);
    }
  }
}

/** Larger bodies are moved. */
const TEXT_BYTES_MAX = 16 * 1024;

/** In one part or as text; compressed here, so that the thread that takes writes moves a small answer on. */
async function packAnswer(answer: Answer, accepts: string | undefined, job: QueryJob): Promise<Answer> {
  const body = answer.parts.length === 1 ? answer.parts[0] : concatBytes(answer.parts);
  const isDone = accepts === undefined || answer.headers['content-encoding'] !== undefined;
  const packed = isDone ? undefined : await compressBody(body, accepts);
  if (packed === undefined) return small(answer, body, job);
  // The compressor's memory cannot be moved.
  const headers = { ...answer.headers, ...packed.headers };
  return { ...answer, headers, parts: [new Uint8Array(packed.bytes)] };
}

/** The StoreAPI reads bodies as bytes; all else goes to a socket. */
function small(answer: Answer, body: Uint8Array, { kind }: QueryJob): Answer {
  if (body.length > TEXT_BYTES_MAX || kind.startsWith('store')) return { ...answer, parts: [body] };
  return { ...answer, parts: [], text: latin1Text(body) };
}

function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function movable(answer: Pick<Answer, 'parts'>): ArrayBuffer[] {
  const buffers = answer.parts.map((part) => part.buffer).filter((buffer) => buffer instanceof ArrayBuffer);
  return [...new Set(buffers)];
}
