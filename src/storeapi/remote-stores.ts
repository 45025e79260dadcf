import { decodeLabels, encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import type { Clock } from '../platform/clock.ts';
import { emptyQuerier } from '../storage/empty-querier.ts';
import { narrowQuerier } from '../storage/narrow-querier.ts';
import type { LabelRequest, Querier, ReadContext, SelectRequest } from '../storage/querier.ts';
import { TolerantQuerier } from '../storage/tolerant-querier.ts';
import type { Endpoint } from './endpoint-set.ts';
import { anyCanMatch, withoutExternal } from './external-labels.ts';
import type { WireQueryRangeRequest, WireQueryRequest } from './messages.ts';
import { loadServices, type Services } from './service-definitions.ts';
import { StoreClient, type StoreClientOptions } from './store-client.ts';
import { type StoreCalls, StoreGroup } from './store-group.ts';
import { type ExemplarsResponse, StoreQuerier } from './store-querier.ts';
import type { PartialResponse, Shard } from './store-server.ts';

/** An endpoint as it travels to the thread that asks it: plain data. */
export interface RemoteStore {
  readonly address: string;
  /** Addresses of stores that hold the same, of which one is asked; itself alone where it is no group. */
  readonly members: readonly string[];
  readonly healthy: boolean;
  readonly lastError: string;
  /** Canonical label bytes of each label set. */
  readonly labelSets: readonly Uint8Array[];
  readonly mint: number;
  readonly maxt: number;
  readonly hasExemplars: boolean;
  /** Whether it evaluates PromQL. */
  readonly hasQueries: boolean;
}

/** How one query reads remote stores. */
export interface RemoteRead {
  readonly partialResponse: PartialResponse;
  readonly maxResolutionMs: number;
  /** Only series of this shard are wanted. */
  readonly shard?: Shard;
  /** A label that the series of this tenant must have, when stores hold several tenants; empty for none. */
  readonly tenantLabel: string;
  /** Every chunk is decoded before it is given, so that one that does not decode fails the store that sent it. */
  readonly verifiesChunks?: boolean;
}

export interface RemoteStoresOptions {
  readonly client: Omit<StoreClientOptions, 'address'>;
  /** A store that gives nothing for so long has failed, ms; 0 for no limit. */
  readonly stallMs: number;
  /** A member of a group that gives nothing for so long is asked beside the next one, ms; 0 for never. */
  readonly hedgeMs: number;
  readonly seriesMax: number;
  readonly bytesMax: number;
}

/**
 * Which stores a query has to ask: those that serve series, and may hold some of its time. One that is not healthy is asked
 * for when it is strict or was known to hold data; its absence is then a warning or an error.
 */
export function remoteStoresOf(endpoints: readonly Endpoint[]): RemoteStore[] {
  return endpoints
    .filter(
      (endpoint) =>
        endpoint.services.has('store') ||
        (!endpoint.healthy && (endpoint.strict || endpoint.component !== '')),
    )
    .map(({ address, members, healthy, lastError, labelSets, mint, maxt, component, services }) => ({
      address,
      members,
      healthy,
      lastError,
      labelSets: labelSets.map(encodeLabels),
      mint: component === '' ? Number.NEGATIVE_INFINITY : mint,
      maxt: component === '' ? Number.POSITIVE_INFINITY : maxt,
      hasExemplars: services.has('exemplars'),
      hasQueries: services.has('query'),
    }));
}

/** A connection that no query used for so long is closed; looked for this often, when queries come. */
const IDLE_MS = 5 * 60_000;
const SWEEP_MS = 60_000;

/** Connections to stores, one per address, kept between queries. */
export class RemoteStores {
  readonly #options: RemoteStoresOptions;
  readonly #clock: Clock;
  readonly #clients = new Map<string, { readonly client: StoreClient; usedMs: number }>();
  /** Which member of a group is asked first next time. */
  readonly #turns = new Map<string, number>();
  #sweptMs = 0;
  #services: Services | undefined;

  constructor(options: RemoteStoresOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Sources for the time mint … maxt. Labels decide with each request whether a store is asked. */
  queriers(
    tenant: string,
    stores: readonly RemoteStore[],
    read: RemoteRead,
    mint: number,
    maxt: number,
  ): Querier[] {
    return stores
      .filter((store) => store.mint <= maxt && store.maxt >= mint)
      .map((store) => {
        const labelSets = store.labelSets.map((bytes) => decodeLabels(bytes));
        const pruned = new PrunedQuerier(store.address, this.#querier(tenant, store, read), labelSets);
        if (read.tenantLabel === '') return pruned;
        return narrowQuerier(pruned, new Matcher('=', read.tenantLabel, tenant));
      });
  }

  #querier(tenant: string, store: RemoteStore, read: RemoteRead): Querier {
    const { seriesMax, bytesMax, stallMs } = this.#options;
    const tolerance = { onFailure: read.partialResponse, stallMs, name: store.address };
    const client = this.#laterCalls(store);
    const { tenantLabel } = read;
    const querier = new StoreQuerier(client, {
      tenant,
      endpoint: store.address,
      partialResponse: read.partialResponse,
      maxResolutionMs: read.maxResolutionMs,
      seriesMax,
      bytesMax,
      shard: read.shard,
      verifiesChunks: read.verifiesChunks,
      required: tenantLabel === '' ? undefined : { name: tenantLabel, value: tenant },
      exemplars: store.hasExemplars
        ? (request, signal) =>
            client.messages<ExemplarsResponse>('exemplars', 'Exemplars', tenant, request, signal)
        : undefined,
    });
    return new TolerantQuerier(querier, tolerance, this.#clock);
  }

  /** Responses of `thanos.Query` as bytes. */
  queries(
    store: RemoteStore,
    method: 'Query' | 'QueryRange',
    tenant: string,
    request: WireQueryRequest | WireQueryRangeRequest,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    return this.#callsOf(store).messages<Uint8Array>('query', method, tenant, request, signal);
  }

  get options(): RemoteStoresOptions {
    return this.#options;
  }

  /** Addresses that there is a connection to. */
  get connected(): readonly string[] {
    return [...this.#clients.keys()];
  }

  /** Looks for the connection with each call: a long query may outlive one that it does not use. */
  #laterCalls(store: RemoteStore): StoreCalls {
    return {
      series: (...call) => this.#callsOf(store).series(...call),
      labelNames: (...call) => this.#callsOf(store).labelNames(...call),
      labelValues: (...call) => this.#callsOf(store).labelValues(...call),
      messages: (...call) => this.#callsOf(store).messages(...call),
    };
  }

  #callsOf({ address, members }: RemoteStore): StoreCalls {
    const [only, ...others] = members;
    // A group that nobody resolved is asked by its name, and fails by it.
    if (others.length === 0) return this.#client(only ?? address);
    const first = this.#turns.get(address) ?? 0;
    this.#turns.set(address, (first + 1) % members.length);
    const { hedgeMs } = this.#options;
    return new StoreGroup(
      members.map((member) => this.#client(member)),
      { first, hedgeMs },
      this.#clock,
    );
  }

  #client(address: string): StoreClient {
    const now = this.#clock.now();
    let known = this.#clients.get(address);
    if (now - this.#sweptMs > SWEEP_MS) this.#closeIdle(now);
    if (!known) {
      this.#services ??= loadServices();
      const client = new StoreClient({ ...this.#options.client, address }, this.#services, this.#clock);
      known = { client, usedMs: now };
      this.#clients.set(address, known);
    }
    known.usedMs = now;
    return known.client;
  }

  /** Addresses come and go, in some clusters by the hour. Calls under way on a connection that is closed go on. */
  #closeIdle(now: number): void {
    this.#sweptMs = now;
    for (const [address, { client, usedMs }] of this.#clients)
      if (now - usedMs > IDLE_MS) {
        client.close();
        this.#clients.delete(address);
      }
  }
}

/** Asks its source only when data under one of the label sets can satisfy the matchers. */
export class PrunedQuerier implements Querier {
  readonly #address: string;
  readonly #source: Querier;
  readonly #labelSets: readonly Labels[];

  constructor(address: string, source: Querier, labelSets: readonly Labels[]) {
    this.#address = address;
    this.#source = source;
    this.#labelSets = labelSets;
  }

  get warnings(): readonly string[] {
    return this.#source.warnings;
  }

  select(ctx: ReadContext, request: SelectRequest) {
    if (request.without?.includes(this.#address)) return NOTHING.select(ctx, request);
    return this.#for(request.matchers).select(ctx, request);
  }

  labelNames(ctx: ReadContext, request: LabelRequest) {
    return this.#for(request.matchers).labelNames(ctx, request);
  }

  labelValues(ctx: ReadContext, name: string, request: LabelRequest) {
    return this.#for(request.matchers).labelValues(ctx, name, request);
  }

  /** Prometheus itself knows no external labels, so they are asked for only where several would be mixed up. */
  async exemplars(ctx: ReadContext, sets: readonly (readonly Matcher[])[], mint: number, maxt: number) {
    const [only, ...others] = this.#labelSets;
    const asked = sets
      .filter((matchers) => anyCanMatch(matchers, this.#labelSets))
      .map((matchers) =>
        only && others.length === 0 ? (withoutExternal(matchers, only) ?? matchers) : matchers,
      );
    if (asked.length === 0) return [];
    const found = await this.#source.exemplars(ctx, asked, mint, maxt);
    return found.filter(({ labels }) =>
      sets.some((matchers) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))),
    );
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  #for(matchers: readonly Matcher[]): Querier {
    return anyCanMatch(matchers, this.#labelSets) ? this.#source : NOTHING;
  }
}

const NOTHING = emptyQuerier([]);

/** Whether a store is chosen by `storeMatch[]`: one of the sets matches its labels, among them `__address__`. */
export function storeMatches(
  { address, labelSets }: RemoteStore,
  sets: readonly (readonly Matcher[])[],
): boolean {
  if (sets.length === 0) return true;
  const own = labelSets.length === 0 ? [Labels.empty] : labelSets.map((bytes) => decodeLabels(bytes));
  return sets.some((matchers) =>
    own.some((labels) => {
      const all = labels.with({ __address__: address });
      return matchers.every((matcher) => matcher.matches(all.get(matcher.name)));
    }),
  );
}
