import type { Clock } from '../platform/clock.ts';
import { withKnownStates } from './alert-states.ts';
import type { Endpoint, EndpointSet } from './endpoint-set.ts';
import { type Gathered, gather, type MessageSource } from './gather.ts';
import type { StreamingService } from './grpc-server.ts';
import type { PartialResponse } from './store-server.ts';

export interface ServiceQuestion<T> {
  readonly service: StreamingService['service'];
  readonly method: string;
  readonly tenant: string;
  /** As `service-messages.ts` has it. */
  readonly request: object;
  readonly partialResponse: PartialResponse;
  /** Which endpoints are asked; undefined: none of them. */
  readonly asks: ((endpoint: Endpoint) => boolean) | undefined;
  /** What the tenant may see of a message of an endpoint; undefined for nothing of it. */
  readonly admit: (message: T) => T | undefined;
}

/**
 * What this process and its endpoints say of rules, targets and metadata, asked over the same services: own ones are the
 * first source.
 */
export class JoinedServices {
  readonly #own: readonly StreamingService[];
  readonly #endpoints: EndpointSet | undefined;
  readonly #stallMs: number;
  readonly #clock: Clock;

  constructor(
    own: readonly StreamingService[],
    endpoints: EndpointSet | undefined,
    stallMs: number,
    clock: Clock,
  ) {
    this.#own = own;
    this.#endpoints = endpoints;
    this.#stallMs = stallMs;
    this.#clock = clock;
  }

  async ask<T extends { readonly warning?: string }>(
    question: ServiceQuestion<T>,
    signal: AbortSignal,
  ): Promise<Gathered<T>> {
    const { partialResponse, asks } = question;
    const sources = [...this.#ownSources(question), ...(asks ? this.#remoteSources(question, asks) : [])];
    const options = { partialResponse, stallMs: this.#stallMs, signal };
    const gathered = await gather(sources, options, this.#clock);
    const problem = asks && this.#endpoints?.problem;
    return problem ? { ...gathered, warnings: [problem, ...gathered.warnings] } : gathered;
  }

  #ownSources<T>({ service, method, tenant, request }: ServiceQuestion<T>): MessageSource<T>[] {
    return this.#own
      .filter((own) => own.service === service && own.methods[method])
      .map(({ methods }) => ({
        name: 'this process',
        messages: (signal) => methods[method](tenant, request as never, signal) as AsyncIterable<T>,
      }));
  }

  #remoteSources<T>(question: ServiceQuestion<T>, asks: (endpoint: Endpoint) => boolean): MessageSource<T>[] {
    const { service, method, tenant, request, admit } = question;
    return (this.#endpoints?.offering(service) ?? [])
      .filter(({ endpoint }) => asks(endpoint))
      .map(({ endpoint, client }) => ({
        name: endpoint.address,
        messages: (signal) => {
          const answer = <M>() => client.messages<M>(service, method, tenant, request, signal);
          const known =
            service === 'rules' ? (withKnownStates(answer()) as AsyncIterable<unknown>) : answer();
          return admitted(known as AsyncIterable<T>, admit);
        },
      }));
  }
}

async function* admitted<T>(
  messages: AsyncIterable<T>,
  admit: (message: T) => T | undefined,
): AsyncGenerator<T> {
  for await (const message of messages) {
    const seen = admit(message);
    if (seen !== undefined) yield seen;
  }
}
