import { messageOf, VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { LinkedSignal } from '../storage/linked-signal.ts';
import type { PartialResponse } from './store-server.ts';

/** One that answers with a stream of messages, some of which may be `{ warning }`. */
export interface MessageSource<T> {
  /** Named in warnings and errors. */
  readonly name: string;
  messages(signal: AbortSignal): AsyncIterable<T>;
}

/** Messages in the order of their sources. */
export interface Gathered<T> {
  readonly messages: readonly T[];
  readonly warnings: readonly string[];
}

export interface GatherOptions {
  readonly partialResponse: PartialResponse;
  /** A source that gives nothing for so long has failed, ms; 0 for no limit. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

const MESSAGES_MAX = 100_000;

/**
 * What all sources say. One that fails is a warning, and what it said before counts; with `abort` it is the error of the
 * whole, and cancels the others at once. Rejects with the signal's reason when that aborts.
 */
export async function gather<T extends { readonly warning?: string }>(
  sources: readonly MessageSource<T>[],
  options: GatherOptions,
  clock: Clock,
): Promise<Gathered<T>> {
  const signal = new LinkedSignal(options.signal);
  const warnings = new Set<string>();
  const ask = async (source: MessageSource<T>): Promise<T[]> => {
    const taken: T[] = [];
    const take = (message: T) => {
      if (message.warning) warnings.add(`${source.name}: ${message.warning}`);
      else if (taken.push(message) > MESSAGES_MAX)
        throw new VeronaError('limit', `${source.name}: more than ${MESSAGES_MAX} messages in an answer`);
    };
    try {
      await drain(source, signal, options.stallMs, clock, take);
    } catch (error) {
      if (signal.aborted || options.partialResponse === 'abort') throw error;
      warnings.add(named(source.name, error));
    }
    return taken;
  };
  try {
    const lists = await Promise.all(sources.map(ask));
    return { messages: lists.flat(), warnings: [...warnings] };
  } catch (error) {
    options.signal.throwIfAborted();
    throw error;
  } finally {
    signal.abort(new VeronaError('canceled', 'the request has ended'));
  }
}

/** Hands on every message; throws when none comes for too long, whatever the source does about it. */
async function drain<T>(
  source: MessageSource<T>,
  parent: AbortSignal,
  stallMs: number,
  clock: Clock,
  take: (message: T) => void,
): Promise<void> {
  const signal = new LinkedSignal(parent);
  const messages = source.messages(signal)[Symbol.asyncIterator]();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  ended.catch(() => {});
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  try {
    for (;;) {
      const stopTimer =
        stallMs > 0
          ? clock.after(stallMs, () =>
              signal.abort(
                new VeronaError('timeout', `${source.name}: nothing came for ${stallMs / 1000} s`),
              ),
            )
          : () => {};
      const next = await Promise.race([messages.next(), ended]).finally(stopTimer);
      if (next.done) return;
      take(next.value);
    }
  } finally {
    signal.abort(new VeronaError('canceled', 'the request has ended'));
    Promise.resolve(messages.return?.()).catch(() => {});
  }
}

function named(name: string, error: unknown): string {
  const message = messageOf(error);
  return message.startsWith(name) ? message : `${name}: ${message}`;
}
