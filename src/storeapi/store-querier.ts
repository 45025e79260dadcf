import { VeronaError } from '../model/errors.ts';
import { Matcher } from '../model/matcher.ts';
import { selectorText } from '../model/selector-text.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  ReadContext,
  SelectRequest,
} from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { aggregatesOf, coarsestFor } from './aggregates-of.ts';
import { foreignSeries, frameBatches } from './frame-batches.ts';
import type { WireLabelSet } from './messages.ts';
import type {
  LabelsAnswer,
  LabelsRequest,
  PartialResponse,
  SeriesRequest,
  Shard,
  StoreServer,
} from './store-server.ts';
import { readLabelSet } from './wire-requests.ts';

export interface StoreQuerierOptions {
  readonly tenant: string;
  /** Named in errors and warnings. */
  readonly endpoint: string;
  readonly partialResponse: PartialResponse;
  /** Coarsest resolution wanted, ms; 0 for raw samples. */
  readonly maxResolutionMs: number;
  readonly seriesMax: number;
  readonly bytesMax: number;
  /** Only series of this shard are wanted; a store may send others all the same. */
  readonly shard?: Shard;
  /** Every series must have this label; a store that sends others has failed. */
  readonly required?: RequiredLabel;
  /** Every chunk is decoded before it is given. */
  readonly verifiesChunks?: boolean;
  /** Asks for exemplars; undefined when the store has none to offer. */
  readonly exemplars?: (request: ExemplarsRequest, signal: AbortSignal) => AsyncIterable<ExemplarsResponse>;
}

export interface RequiredLabel {
  readonly name: string;
  readonly value: string;
}

/** As `thanos.Exemplars` has it; times in ms. */
export interface ExemplarsRequest {
  readonly query: string;
  readonly start: number;
  readonly end: number;
  readonly partial_response_strategy: number;
}

export interface ExemplarsResponse {
  readonly data?: {
    readonly seriesLabels: WireLabelSet | null;
    readonly exemplars: readonly {
      readonly labels: WireLabelSet | null;
      readonly value: number;
      readonly ts: number;
    }[];
  };
  readonly warning?: string;
}

const SERIES_PER_FRAME = 256;
const NO_LABELS: WireLabelSet = { labels: [] };

type Reads = Pick<StoreServer, 'series' | 'labelNames' | 'labelValues'>;

/** A remote store as a source like any other. Errors name the endpoint. */
export class StoreQuerier implements Querier {
  readonly #store: Reads;
  readonly #options: StoreQuerierOptions;
  readonly #warnings = new Set<string>();

  constructor(store: Reads, options: StoreQuerierOptions) {
    this.#store = store;
    this.#options = options;
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const { tenant, endpoint, seriesMax, bytesMax, required, verifiesChunks } = this.#options;
    const frames = this.#store.series(tenant, this.#seriesRequest(request), ctx.signal);
    const warn = (warning: string) => void this.#warnings.add(`${endpoint}: ${warning}`);
    return frameBatches(frames, {
      endpoint,
      warn,
      seriesMax,
      bytesMax,
      required,
      verifiesChunks,
      progress: ctx.progress,
    });
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
    { signal }: ReadContext,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    const { exemplars, partialResponse, endpoint, seriesMax } = this.#options;
    if (!exemplars) return [];
    const query = matcherSets.map(exemplarSelector).join(' or ');
    const partial_response_strategy = partialResponse === 'abort' ? 1 : 0;
    const found: ExemplarSeries[] = [];
    const request = { query, start: mint, end: maxt, partial_response_strategy };
    for await (const { data, warning } of exemplars(request, signal)) {
      if (warning) this.#warnings.add(`${endpoint}: ${warning}`);
      if (!data) continue;
      found.push(this.#exemplarSeries(data));
      if (found.length > seriesMax)
        throw new VeronaError('limit', `${endpoint}: an answer has more than ${seriesMax} series`);
    }
    return found;
  }

  #exemplarSeries({ seriesLabels, exemplars }: NonNullable<ExemplarsResponse['data']>): ExemplarSeries {
    const labels = readLabelSet(seriesLabels ?? NO_LABELS);
    const { required, endpoint } = this.#options;
    if (required && labels.get(required.name) !== required.value) throw foreignSeries(endpoint, required);
    return {
      labels,
      exemplars: exemplars
        .map((one) => ({
          labels: readLabelSet(one.labels ?? NO_LABELS),
          value: one.value,
          t: one.ts,
          hasTimestamp: true,
        }))
        .sort((a, b) => a.t - b.t),
    };
  }

  async close(): Promise<void> {}

  #take({ values, warnings }: LabelsAnswer): readonly string[] {
    for (const warning of warnings) this.#warnings.add(`${this.#options.endpoint}: ${warning}`);
    return values;
  }

  #seriesRequest({ matchers, mint, maxt, hints }: SelectRequest): SeriesRequest {
    const { func = '', rangeMs = 0 } = hints ?? {};
    const maxResolutionMs = coarsestFor(func, rangeMs, this.#options.maxResolutionMs);
    return {
      mint,
      maxt,
      matchers,
      maxResolutionMs,
      aggregates: maxResolutionMs > 0 ? aggregatesOf(func) : [],
      partialResponse: this.#options.partialResponse,
      skipChunks: hints?.labelsOnly ?? false,
      stepMs: hints?.stepMs ?? 0,
      rangeMs,
      func,
      shard: this.#options.shard,
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

/** PromQL has no selector that every series matches, so one of all asks for a name. */
function exemplarSelector(matchers: readonly Matcher[]): string {
  const isOfAll = matchers.every((matcher) => matcher.matchesEmpty);
  return selectorText(isOfAll ? [...matchers, HAS_A_NAME] : matchers);
}

const HAS_A_NAME = new Matcher('!=', '__name__', '');
