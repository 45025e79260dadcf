import { VeronaError } from '../model/errors.ts';
import type { LabelsAnswer, LabelsRequest, SeriesRequest, StoreInfo, StoreServer } from './store-server.ts';

/** A store of which each tenant may have so many Series calls under way. */
export class SeriesPlaces implements StoreServer {
  readonly #store: StoreServer;
  readonly #placesOf: (tenant: string) => number;
  /** By tenant; nothing for those that have none. */
  readonly #taken = new Map<string, number>();

  /** `placesOf` is asked for with each call; 0 is no limit. */
  constructor(store: StoreServer, placesOf: (tenant: string) => number) {
    this.#store = store;
    this.#placesOf = placesOf;
  }

  info(tenant: string, tenants?: readonly string[]): Promise<StoreInfo> {
    return this.#store.info(tenant, tenants);
  }

  /** Throws `limit` at its first step when the tenant has no place left. */
  async *series(tenant: string, request: SeriesRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const taken = this.#taken.get(tenant) ?? 0;
    const places = this.#placesOf(tenant);
    if (places > 0 && taken >= places)
      throw new VeronaError(
        'limit',
        `tenant ${tenant} has ${taken} Series calls under way, ${places} are allowed (limits.max_concurrent_store_requests); try again later`,
      );
    this.#taken.set(tenant, taken + 1);
    try {
      yield* this.#store.series(tenant, request, signal);
    } finally {
      this.#giveBack(tenant);
    }
  }

  labelNames(tenant: string, request: LabelsRequest, signal: AbortSignal): Promise<LabelsAnswer> {
    return this.#store.labelNames(tenant, request, signal);
  }

  labelValues(
    tenant: string,
    name: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<LabelsAnswer> {
    return this.#store.labelValues(tenant, name, request, signal);
  }

  #giveBack(tenant: string): void {
    const left = (this.#taken.get(tenant) ?? 1) - 1;
    if (left === 0) this.#taken.delete(tenant);
    else this.#taken.set(tenant, left);
  }
}
