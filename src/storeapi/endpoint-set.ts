import { messageOf } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import type { Resolver } from '../platform/dns.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge, Metrics } from '../platform/metrics.ts';
import { resolveEndpoint } from './discovery.ts';
import { joinGroups } from './endpoint-groups.ts';
import type { WireInfoResponse } from './messages.ts';
import { type FurtherService, INFO_FIELDS } from './service-definitions.ts';
import { readLabelSet } from './wire-requests.ts';

export interface ConfiguredEndpoint {
  /** As in `discovery.ts`. */
  readonly address: string;
  /** Asked also while it does not answer health checks, so that its absence is never silent. */
  readonly strict: boolean;
  /** Whether all that its name stands for hold the same, so that one of them is asked. */
  readonly group: boolean;
}

/** What is known of one address, or of a group. Times in ms. */
export interface Endpoint {
  /** Of a group what was configured. */
  readonly address: string;
  /** Addresses of a group to ask one of; itself where it is none. */
  readonly members: readonly string[];
  readonly strict: boolean;
  /** Whether the last check was answered. */
  readonly healthy: boolean;
  readonly lastCheckMs: number;
  /** Of the last check; empty when it was answered. */
  readonly lastError: string;
  /** `sidecar`, `store`, `receive`, `query` …; empty until the first answer. */
  readonly component: string;
  readonly labelSets: readonly Labels[];
  readonly mint: number;
  readonly maxt: number;
  /** Names of the services it says it has: `store`, `rules`, `targets`, `metric_metadata`, `exemplars`, `status`, `query`. */
  readonly services: ReadonlySet<string>;
}

export interface EndpointSetOptions {
  readonly endpoints: () => Promise<readonly ConfiguredEndpoint[]>;
  readonly checkIntervalMs: number;
  /** An address that did not answer for so long is forgotten, unless it is strict. */
  readonly unhealthyTimeoutMs: number;
}

/** What the set needs of a connection. */
export interface EndpointClient {
  describe(tenant: string, signal?: AbortSignal): Promise<WireInfoResponse>;
  messages<T>(
    service: FurtherService,
    method: string,
    tenant: string,
    request: object,
    signal: AbortSignal,
  ): AsyncIterable<T>;
  close(): void;
}

const SERVICES = ['store', 'rules', 'targets', 'metric_metadata', 'exemplars', 'status', 'query'] as const;
const ENDPOINTS_MAX = 1000;

/** The endpoints that queries fan out to: discovered, and asked what they hold at an interval. */
export class EndpointSet {
  readonly name = 'endpoints';
  readonly #options: EndpointSetOptions;
  readonly #connect: (address: string) => EndpointClient;
  readonly #resolver: Resolver;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #known = new Map<string, KnownEndpoint>();
  /** By name; each as it is while nobody knows a member. */
  #groups = new Map<string, Endpoint>();
  readonly #gauge: Gauge<'component' | 'healthy'>;
  #problem: string | undefined;
  #cancelTimer: (() => void) | undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    options: EndpointSetOptions,
    connect: (address: string) => EndpointClient,
    deps: {
      readonly resolver: Resolver;
      readonly clock: Clock;
      readonly log: Logger;
      readonly metrics: Metrics;
    },
  ) {
    this.#options = options;
    this.#connect = connect;
    this.#resolver = deps.resolver;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#gauge = deps.metrics.gauge('verona_endpoints', 'Endpoints that queries may ask.', [
      'component',
      'healthy',
    ]);
  }

  async start(): Promise<void> {
    await this.check();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer?.();
    await this.#round;
    for (const { client } of this.#known.values()) client.close();
    this.#known.clear();
  }

  /** As of the last check; groups after the others. */
  get endpoints(): readonly Endpoint[] {
    return joinGroups([...this.#known.values()], this.#groups);
  }

  /** Those that offer a service, or are strict and were never heard of, with a connection. */
  offering(service: FurtherService): { readonly endpoint: Endpoint; readonly client: EndpointClient }[] {
    return this.endpoints
      .filter(
        ({ services, strict, component }) =>
          services.has(INFO_FIELDS[service]) || (strict && component === ''),
      )
      .flatMap((endpoint) => {
        const known = endpoint.members.map((address) => this.#known.get(address)).find((one) => one);
        return known ? [{ endpoint, client: known.client }] : [];
      });
  }

  /** Why the list may lack endpoints, in a sentence; undefined when it does not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks for endpoints and asks each; never rejects. */
  async check(): Promise<void> {
    const wanted = await this.#discover();
    if (wanted)
      for (const [address, { client }] of this.#known)
        if (!wanted.has(address)) {
          client.close();
          this.#known.delete(address);
        }
    for (const [address, { strict, group }] of wanted ?? [])
      if (!this.#known.has(address))
        this.#known.set(address, {
          endpoint: unknownEndpoint(address, strict),
          group,
          client: this.#connect(address),
          lastHealthyMs: this.#clock.now(),
        });
    await Promise.all([...this.#known.keys()].map((address) => this.#ask(address)));
    this.#count();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#cancelTimer = this.#clock.after(this.#options.checkIntervalMs, () => {
      this.#round = this.check();
      this.#round.then(() => this.#schedule());
    });
  }

  /** What to ask by address; undefined when the configuration itself cannot be read: then the known ones stay. */
  async #discover(): Promise<Map<string, Wanted> | undefined> {
    const problems: string[] = [];
    let configured: readonly ConfiguredEndpoint[];
    try {
      configured = await this.#options.endpoints();
    } catch (error) {
      this.#note([messageOf(error)]);
      return undefined;
    }
    const wanted = new Map<string, Wanted>();
    const groups = configured.filter(({ group }) => group);
    this.#groups = new Map(
      groups.map(({ address, strict }) => [address, unknownEndpoint(address, strict, undefined, [])]),
    );
    for (const { address, strict, group } of configured)
      try {
        const found = await resolveEndpoint(group ? groupAddress(address) : address, this.#resolver);
        for (const one of found) wanted.set(one, { strict, group: group ? address : undefined });
      } catch (error) {
        problems.push(`endpoint ${address} cannot be resolved: ${messageOf(error)}`);
        for (const [known, { endpoint, group: of }] of this.#known)
          if (!wanted.has(known)) wanted.set(known, { strict: endpoint.strict, group: of });
      }
    if (wanted.size > ENDPOINTS_MAX)
      problems.push(`${wanted.size} endpoints; the first ${ENDPOINTS_MAX} are used`);
    this.#note(problems);
    return new Map([...wanted].slice(0, ENDPOINTS_MAX));
  }

  async #ask(address: string): Promise<void> {
    const known = this.#known.get(address);
    if (!known) return;
    const now = this.#clock.now();
    const before = known.endpoint;
    try {
      const info = await known.client.describe('');
      known.endpoint = describedEndpoint(before, info, now);
      known.lastHealthyMs = now;
      if (!before.healthy)
        this.#log.info('an endpoint answers', { endpoint: address, component: info.ComponentType });
    } catch (error) {
      known.endpoint = { ...before, healthy: false, lastCheckMs: now, lastError: messageOf(error) };
      if (before.healthy)
        this.#log.warn('an endpoint does not answer; queries say so where they would have asked it', {
          endpoint: address,
          error: messageOf(error),
        });
      if (
        !before.strict &&
        now - known.lastHealthyMs > this.#options.unhealthyTimeoutMs &&
        before.component !== ''
      ) {
        // It stays in discovery, and is a new one when it comes back.
        known.endpoint = unknownEndpoint(address, before.strict, known.endpoint);
      }
    }
  }

  #note(problems: readonly string[]): void {
    const problem = problems.length > 0 ? problems.join('; ') : undefined;
    if (problem && problem !== this.#problem) this.#log.warn('endpoints are not all known', { problem });
    this.#problem = problem;
  }

  #count(): void {
    this.#gauge.reset();
    for (const { endpoint } of this.#known.values()) {
      const { component, healthy } = endpoint;
      this.#gauge.inc({ component: component || 'unknown', healthy: String(healthy) });
    }
  }
}

interface Wanted {
  readonly strict: boolean;
  /** The group it is a member of. */
  readonly group: string | undefined;
}

interface KnownEndpoint {
  endpoint: Endpoint;
  readonly group: string | undefined;
  readonly client: EndpointClient;
  lastHealthyMs: number;
}

/** The members of a group are what its name stands for. */
function groupAddress(address: string): string {
  return address.includes('+') ? address : `dns+${address}`;
}

function unknownEndpoint(
  address: string,
  strict: boolean,
  last?: Endpoint,
  members: readonly string[] = [address],
): Endpoint {
  return {
    address,
    members,
    strict,
    healthy: false,
    lastCheckMs: last?.lastCheckMs ?? 0,
    lastError: last?.lastError ?? 'not asked yet',
    component: '',
    labelSets: [],
    mint: 0,
    maxt: 0,
    services: new Set(),
  };
}

function describedEndpoint(before: Endpoint, info: WireInfoResponse, now: number): Endpoint {
  return {
    ...before,
    healthy: true,
    lastCheckMs: now,
    lastError: '',
    component: info.ComponentType,
    labelSets: info.label_sets.map(readLabelSet),
    mint: info.store?.min_time ?? 0,
    maxt: info.store?.max_time ?? 0,
    services: new Set(SERVICES.filter((name) => info[name] !== null)),
  };
}
