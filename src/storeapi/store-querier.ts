import type { Matcher } from '../model/matcher.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  ReadContext,
  SelectRequest,
} from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { frameBatches } from './frame-batches.ts';
import type {
  LabelsAnswer,
  LabelsRequest,
  PartialResponse,
  SeriesRequest,
  StoreServer,
} from './store-server.ts';

export interface StoreQuerierOptions {
  readonly tenant: string;
  /** Named in errors and warnings. */
  readonly endpoint: string;
  readonly partialResponse: PartialResponse;
  /** Coarsest resolution wanted, ms; 0 for raw samples. */
  readonly maxResolutionMs: number;
  readonly seriesMax: number;
  readonly bytesMax: number;
  readonly exemplars?: (
    ctx: ReadContext,
    query: string,
    mint: number,
    maxt: number,
  ) => Promise<readonly ExemplarSeries[]>;
}

const SERIES_PER_FRAME = 64;

/** A remote store as a source like any other. Errors name the endpoint. */
export class StoreQuerier implements Querier {
  readonly #store: StoreServer;
  readonly #options: StoreQuerierOptions;
  readonly #warnings = new Set<string>();

  constructor(store: StoreServer, options: StoreQuerierOptions) {
    this.#store = store;
    this.#options = options;
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const { tenant, endpoint, seriesMax, bytesMax } = this.#options;
    const frames = this.#store.series(tenant, this.#seriesRequest(request), ctx.signal);
    const warn = (warning: string) => void this.#warnings.add(`${endpoint}: ${warning}`);
    return frameBatches(frames, { endpoint, warn, seriesMax, bytesMax });
  }

  async labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    const { tenant } = this.#options;
    return this.#take(await this.#store.labelNames(tenant, this.#labelsRequest(request), ctx.signal));
  }

  async labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    const { tenant } = this.#options;
    return this.#take(await this.#store.labelValues(tenant, name, this.#labelsRequest(request), ctx.signal));
  }

  async exemplars(
    ctx: ReadContext,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    const { exemplars } = this.#options;
    if (!exemplars) return [];
    const query = matcherSets.map((matchers) => `{${matchers.map(selectorPart).join(',')}}`).join(' or ');
    return exemplars(ctx, query, mint, maxt);
  }

  async close(): Promise<void> {}

  #take({ values, warnings }: LabelsAnswer): readonly string[] {
    for (const warning of warnings) this.#warnings.add(`${this.#options.endpoint}: ${warning}`);
    return values;
  }

  #seriesRequest({ matchers, mint, maxt, hints }: SelectRequest): SeriesRequest {
    return {
      mint,
      maxt,
      matchers,
      maxResolutionMs: this.#options.maxResolutionMs,
      aggregates: [],
      partialResponse: this.#options.partialResponse,
      skipChunks: hints?.labelsOnly ?? false,
      stepMs: hints?.stepMs ?? 0,
      rangeMs: hints?.rangeMs ?? 0,
      func: hints?.func ?? '',
      shard: undefined,
      withoutReplicaLabels: [],
      limit: hints?.limit ?? 0,
      batchSize: SERIES_PER_FRAME,
    };
  }

  #labelsRequest({ matchers, mint, maxt, limit }: LabelRequest): LabelsRequest {
    const { partialResponse } = this.#options;
    return { mint, maxt, matchers, limit, withoutReplicaLabels: [], partialResponse };
  }
}

/** A name is always quoted: it may be any UTF-8. */
function selectorPart({ type, name, value }: Matcher): string {
  return `${JSON.stringify(name)}${type}${JSON.stringify(value)}`;
}
