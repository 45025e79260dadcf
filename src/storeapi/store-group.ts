import { VeronaError } from '../model/errors.ts';
import { assert } from '../platform/assert.ts';
import type { Clock } from '../platform/clock.ts';
import { firstAnswer } from './first-answer.ts';
import type { FurtherService } from './service-definitions.ts';
import type { StoreClient } from './store-client.ts';
import type { LabelsAnswer, LabelsRequest, SeriesRequest } from './store-server.ts';

/** What queries ask of a store. */
export type StoreCalls = Pick<StoreClient, 'series' | 'labelNames' | 'labelValues' | 'messages'>;

export interface StoreGroupOptions {
  /** Who is asked first, by place among the members. */
  readonly first: number;
  /** A member that gives nothing for so long is asked beside the next one, ms; 0 for never. */
  readonly hedgeMs: number;
}

/**
 * Stores that hold the same, as one: each call goes to one of them, and to the next when that one fails before it gave anything, or
 * is slow. An answer that breaks off in the middle is an error, as it is with one store.
 */
export class StoreGroup implements StoreCalls {
  readonly #members: readonly StoreCalls[];
  readonly #options: StoreGroupOptions;
  readonly #clock: Clock;

  constructor(members: readonly StoreCalls[], options: StoreGroupOptions, clock: Clock) {
    assert(members.length > 0, 'a group has members');
    const first = options.first % members.length;
    this.#members = [...members.slice(first), ...members.slice(0, first)];
    this.#options = options;
    this.#clock = clock;
  }

  series(tenant: string, request: SeriesRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    return this.#stream((member, own) => member.series(tenant, request, own), signal);
  }

  labelNames(tenant: string, request: LabelsRequest, signal: AbortSignal): Promise<LabelsAnswer> {
    return this.#once((member, own) => member.labelNames(tenant, request, own), signal);
  }

  labelValues(
    tenant: string,
    name: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<LabelsAnswer> {
    return this.#once((member, own) => member.labelValues(tenant, name, request, own), signal);
  }

  messages<T>(
    service: FurtherService,
    method: string,
    tenant: string,
    request: object,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    return this.#stream((member, own) => member.messages<T>(service, method, tenant, request, own), signal);
  }

  async #once<T>(
    ask: (member: StoreCalls, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const tries = this.#members.map((member) => (own: AbortSignal) => ask(member, own));
    const { value, signal: own } = await firstAnswer(tries, { ...this.#options, signal }, this.#clock);
    own.unlink();
    return value;
  }

  async *#stream<T>(
    ask: (member: StoreCalls, signal: AbortSignal) => AsyncGenerator<T>,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    const tries = this.#members.map((member) => async (own: AbortSignal) => {
      const messages = ask(member, own);
      return { messages, first: await messages.next() };
    });
    const { value, signal: own } = await firstAnswer(tries, { ...this.#options, signal }, this.#clock);
    const { messages, first } = value;
    try {
      for (let next = first; !next.done; next = await messages.next()) yield next.value;
    } finally {
      own.abort(new VeronaError('canceled', 'the read has ended'));
      await messages.return(undefined);
    }
  }
}
