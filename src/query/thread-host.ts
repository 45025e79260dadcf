import { type ErrorCode, VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Port } from '../platform/threads.ts';
import { limitQueryable } from '../storage/limited-querier.ts';
import type { Queryable } from '../storage/querier.ts';
import type { JobLimits, QueryJob } from './jobs.ts';
import { SharedSignal } from './shared-signal.ts';
import type { Answer, FromThread, PlainError, ToThread } from './thread-protocol.ts';

/** Asks the main thread something about the view of a running query. */
export type Ask = (request: unknown) => Promise<unknown>;

export interface ThreadHostOptions {
  /** Opens the sources that a view describes. */
  readonly open: (tenant: string, view: unknown, ask: Ask) => Queryable;
  readonly answer: (
    job: QueryJob,
    limits: JobLimits,
    queryable: Queryable,
    signal: AbortSignal,
    waitedMs: number,
  ) => Promise<Answer>;
  readonly clock: Clock;
}

/** The inside of a query thread: runs jobs as they come, several interleaved where they wait for data. */
export class ThreadHost {
  readonly #port: Port;
  readonly #options: ThreadHostOptions;
  readonly #signals = new Map<number, SharedSignal>();
  readonly #calls = new Map<number, { resolve: (reply: unknown) => void; reject: (error: Error) => void }>();
  #nextCall = 1;

  constructor(port: Port, options: ThreadHostOptions) {
    this.#port = port;
    this.#options = options;
    port.onMessage((message) => this.#receive(message as ToThread));
  }

  #receive(message: ToThread): void {
    switch (message.type) {
      case 'run':
        this.#run(message).catch((error: unknown) =>
          this.#post({ type: 'failure', id: message.id, error: toPlainError(error) }),
        );
        break;
      case 'cancel':
        this.#signals.get(message.id)?.notify();
        break;
      case 'reply': {
        const call = this.#calls.get(message.call);
        this.#calls.delete(message.call);
        if (message.error)
          call?.reject(new VeronaError(message.error.code as ErrorCode, message.error.message));
        else call?.resolve(message.reply);
      }
    }
  }

  async #run(run: Extract<ToThread, { type: 'run' }>): Promise<void> {
    const { clock, open, answer } = this.#options;
    const deadline = clock.monotonic() + run.timeoutMs;
    const signal = new SharedSignal(run.cancel, clock, deadline, {
      canceled: () => new VeronaError('canceled', 'query was canceled in expression evaluation'),
      timeout: () => new VeronaError('timeout', 'query timed out in expression evaluation'),
    });
    const stopTimer = clock.after(run.timeoutMs + 1, () => signal.notify());
    this.#signals.set(run.id, signal);
    try {
      const queryable = open(run.tenant, run.view, (request) => this.#ask(run.id, request));
      const result = await answer(
        run.job,
        run.limits,
        limitQueryable(queryable, run.limits),
        signal,
        run.waitedMs,
      );
      this.#post({ type: 'answer', id: run.id, answer: result }, movable(result));
    } finally {
      this.#signals.delete(run.id);
      stopTimer();
    }
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

function movable(answer: Answer): ArrayBuffer[] {
  const buffers = answer.parts.map((part) => part.buffer).filter((buffer) => buffer instanceof ArrayBuffer);
  return [...new Set(buffers)];
}

function toPlainError(error: unknown): PlainError {
  if (error instanceof VeronaError) return { code: error.code, message: error.message };
  return {
    code: 'internal',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
