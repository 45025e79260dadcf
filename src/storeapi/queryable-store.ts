import { VeronaError } from '../model/errors.ts';
import { compareStrings, Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { warningFrame } from '../proto/store-series.ts';
import { LabelChange } from '../storage/label-change.ts';
import type { LabelRequest, Querier, Queryable, SelectRequest } from '../storage/querier.ts';
import { relabelSeries } from '../storage/regroup.ts';
import { withoutExternal } from './external-labels.ts';
import { seriesFrames } from './series-frames.ts';
import { limitedSeries, NO_SERIES_LIMITS, type SeriesLimits } from './series-limits.ts';
import type { LabelsAnswer, LabelsRequest, SeriesRequest, StoreInfo, StoreServer } from './store-server.ts';

/** One source behind an endpoint, the same for every tenant that is let in. */
export class QueryableStore implements StoreServer {
  readonly #source: Queryable;
  readonly #info: () => StoreInfo;
  readonly #limits: (tenant: string) => SeriesLimits;

  /** The first label set of `info` is what every series gets; `limits` are asked for with each call. */
  constructor(
    source: Queryable,
    info: () => StoreInfo,
    limits: (tenant: string) => SeriesLimits = () => NO_SERIES_LIMITS,
  ) {
    this.#source = source;
    this.#info = info;
    this.#limits = limits;
  }

  async info(): Promise<StoreInfo> {
    return this.#info();
  }

  series(tenant: string, request: SeriesRequest, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return serveSeries(this.#source, this.#external, request, signal, this.#limits(tenant));
  }

  labelNames(_tenant: string, request: LabelsRequest, signal: AbortSignal): Promise<LabelsAnswer> {
    return serveLabelNames(this.#source, this.#external, request, signal);
  }

  labelValues(
    _tenant: string,
    name: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<LabelsAnswer> {
    return serveLabelValues(this.#source, this.#external, name, request, signal);
  }

  get #external(): Labels {
    return this.#info().labelSets[0] ?? Labels.empty;
  }
}

/**
 * Answers the StoreAPI's reads from any source, whose series get `external` labels. Warnings of the source come as frames
 * before the end; with `abort` they are errors. More than the limits allow is an error in any case.
 */
export async function* serveSeries(
  source: Queryable,
  external: Labels,
  request: SeriesRequest,
  signal: AbortSignal,
  limits: SeriesLimits = NO_SERIES_LIMITS,
): AsyncGenerator<Uint8Array> {
  const matchers = innerMatchers(request.matchers, external);
  if (!matchers) return;
  const change = new LabelChange(external, request.withoutReplicaLabels);
  const querier = await source.querier(request.mint, request.maxt);
  try {
    const batches = querier.select({ signal }, toSelect(request, matchers));
    // Removed labels must not come back with the external ones.
    const missing = querier.labelled?.equals(external) ? Labels.empty : external.drop(change.remove);
    const added = new LabelChange(missing, request.withoutReplicaLabels);
    yield* seriesFrames(relabelSeries(limitedSeries(batches, limits), added), request);
    for (const warning of complaints(querier, request.partialResponse)) yield warningFrame(warning);
  } finally {
    await querier.close();
  }
}

export async function serveLabelNames(
  source: Queryable,
  external: Labels,
  request: LabelsRequest,
  signal: AbortSignal,
): Promise<LabelsAnswer> {
  return withQuerier(source, external, request, async (querier, inner) => {
    const names = await querier.labelNames({ signal }, inner);
    if (names.length === 0) return [];
    const all = new Set([...names, ...[...external].map(([name]) => name)]);
    for (const name of request.withoutReplicaLabels) all.delete(name);
    return limited([...all].sort(compareStrings), request);
  });
}

export async function serveLabelValues(
  source: Queryable,
  external: Labels,
  name: string,
  request: LabelsRequest,
  signal: AbortSignal,
): Promise<LabelsAnswer> {
  return withQuerier(source, external, request, async (querier, inner) => {
    if (request.withoutReplicaLabels.includes(name)) return [];
    const value = external.get(name);
    if (value === '') return limited(await querier.labelValues({ signal }, name, inner), request);
    const names = await querier.labelNames({ signal }, { ...inner, limit: 1 });
    return names.length > 0 ? [value] : [];
  });
}

async function withQuerier(
  source: Queryable,
  external: Labels,
  request: LabelsRequest,
  ask: (querier: Querier, inner: LabelRequest) => Promise<readonly string[]>,
): Promise<LabelsAnswer> {
  const matchers = withoutExternal(request.matchers, external);
  if (!matchers) return { values: [], warnings: [] };
  const { mint, maxt } = request;
  const querier = await source.querier(mint, maxt);
  try {
    const values = await ask(querier, { matchers, mint, maxt, limit: 0 });
    return { values, warnings: complaints(querier, request.partialResponse) };
  } finally {
    await querier.close();
  }
}

function innerMatchers(matchers: readonly Matcher[], external: Labels): Matcher[] | undefined {
  const inner = withoutExternal(matchers, external);
  if (inner?.length === 0)
    throw new VeronaError('bad_data', 'no matchers specified (excluding external labels)');
  return inner;
}

function toSelect(request: SeriesRequest, matchers: readonly Matcher[]): SelectRequest {
  const { mint, maxt, skipChunks, stepMs, rangeMs, func } = request;
  return { matchers, mint, maxt, sorted: true, hints: { labelsOnly: skipChunks, stepMs, rangeMs, func } };
}

function complaints({ warnings }: Querier, partialResponse: 'warn' | 'abort'): readonly string[] {
  if (partialResponse === 'abort' && warnings.length > 0)
    throw new VeronaError('execution', warnings.join('; '));
  return warnings;
}

function limited(values: readonly string[], { limit }: LabelsRequest): readonly string[] {
  return limit > 0 ? values.slice(0, limit) : values;
}
