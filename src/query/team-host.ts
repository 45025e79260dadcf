import type { Clock } from '../platform/clock.ts';
import type { Port } from '../platform/threads.ts';
import type { KernelPool } from '../promql/exec/kernel-pool.ts';
import { PartEvaluator } from '../promql/exec/part-evaluator.ts';
import { toPlainError } from './plain-error.ts';
import { querySignal } from './shared-signal.ts';
import { buffersBelow, type FromMember, type ToMember } from './team-protocol.ts';

/** Works on parts of queries that another thread runs. */
export class TeamHost {
  readonly #port: Port;
  readonly #clock: Clock;
  readonly #kernels: KernelPool;
  readonly #parts = new Map<number, Part>();

  constructor(port: Port, clock: Clock, kernels: KernelPool) {
    this.#port = port;
    this.#clock = clock;
    this.#kernels = kernels;
    port.onMessage((message) => this.#receive(message as ToMember | FromMember));
  }

  #receive(message: ToMember | FromMember): void {
    switch (message.type) {
      case 'begin':
        this.#parts.set(message.part, this.#begin(message));
        break;
      case 'batch':
      case 'end':
        this.#parts.get(message.part)?.take(message);
        break;
      case 'forget':
        this.#parts.delete(message.part);
    }
  }

  #begin({ part, request, cancel, timeoutMs, done }: Extract<ToMember, { type: 'begin' }>): Part {
    const signal = querySignal(cancel, this.#clock, this.#clock.monotonic() + timeoutMs);
    const options = { read: { signal }, kernels: this.#kernels, clock: this.#clock, timeoutMs };
    const post = (message: FromMember) => this.#port.post(message, [...buffersBelow(message)]);
    const isWanted = () => this.#parts.has(part);
    return new Part(part, new PartEvaluator(request, options), post, {
      isWanted,
      batchDone: () => Atomics.add(done, 0, 1),
      done: () => this.#parts.delete(part),
    });
  }
}

/** The thread whose part it is. */
interface PartAsker {
  isWanted(): boolean;
  batchDone(): void;
  /** There is nothing more to do. */
  done(): void;
}

/** Takes the messages of one part in their order. */
class Part {
  readonly #part: number;
  readonly #evaluator: PartEvaluator;
  readonly #post: (message: FromMember) => void;
  readonly #asker: PartAsker;
  #before: Promise<void> = Promise.resolve();

  constructor(part: number, evaluator: PartEvaluator, post: (message: FromMember) => void, asker: PartAsker) {
    this.#part = part;
    this.#evaluator = evaluator;
    this.#post = post;
    this.#asker = asker;
  }

  take(message: Extract<ToMember, { type: 'batch' | 'end' }>): void {
    this.#before = this.#before.then(() => this.#work(message));
  }

  async #work(message: Extract<ToMember, { type: 'batch' | 'end' }>): Promise<void> {
    if (!this.#asker.isWanted()) return;
    const part = this.#part;
    try {
      if (message.type === 'batch') {
        const rows = await this.#evaluator.evaluate(message.batch);
        this.#asker.batchDone();
        this.#post({ type: 'rows', part, rows });
        return;
      }
      this.#post({ type: 'result', part, result: await this.#evaluator.finish() });
    } catch (error) {
      this.#post({ type: 'failure', part, error: toPlainError(error) });
    }
    this.#asker.done();
  }
}
