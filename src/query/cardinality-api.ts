import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import { parseMatchers } from '../promql/parser/parse.ts';
import type { QueryApiOptions } from './api.ts';
import { onApiPaths } from './api-paths.ts';
import type { CardinalityJob, PlainMatcher } from './jobs.ts';
import { MAX_TIME_MS, MIN_TIME_MS, Params } from './params.ts';

const FORM_BYTES_MAX = 10 * 1024 * 1024;
/** Mimir's numbers. */
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 500;
const COUNT_METHODS = ['active', 'inmemory'];
const NAMES_MAX = 100;

export interface CardinalityOptions {
  readonly clock: Clock;
  readonly run: QueryApiOptions['run'];
  /** A series is active when its newest sample is no older than this, ms. */
  readonly activeWindowMs: number;
  /** Series in a tenant's head now. */
  readonly headSeries: (tenant: string) => number;
}

/**
 * Mimir's cardinality API: which labels have how many values, which values how many series, which series are active, in the
 * head of the tenant. With `start` or `end`, which are ours, over head and blocks of that time.
 */
export function cardinalityRoutes(options: CardinalityOptions): Route[] {
  const api: [string, (params: Params) => Pick<CardinalityJob, 'what' | 'names' | 'matchers'>][] = [
    ['label_names', (params) => ({ what: 'labelNames', names: [], matchers: selector(params) })],
    ['label_values', (params) => ({ what: 'labelValues', names: names(params), matchers: selector(params) })],
    ['active_series', (params) => ({ what: 'activeSeries', names: [], matchers: requiredSelector(params) })],
  ];
  return onApiPaths(
    api.map(([path, make]) => ({
      path: `/api/v1/cardinality/${path}`,
      methods: ['GET', 'POST'] as const,
      bodyMax: FORM_BYTES_MAX,
      handle: (request: HttpRequest) => answer(request, options, make),
    })),
  );
}

async function answer(
  request: HttpRequest,
  options: CardinalityOptions,
  make: (params: Params) => Pick<CardinalityJob, 'what' | 'names' | 'matchers'>,
): Promise<HttpResponse> {
  try {
    const params = new Params(request);
    const asked = make(params);
    const job = {
      kind: 'cardinality',
      ...asked,
      limit: limit(params),
      ...span(params, asked.what, options),
    } as const;
    const seriesTotal =
      job.headOnly && !job.isActive ? { seriesTotal: options.headSeries(request.tenant) } : {};
    const read = {
      ownOnly: true,
      dedup: false,
      replicaLabels: undefined,
      partialResponse: undefined,
      storeMatches: [],
    };
    const accepts = request.headers['accept-encoding'];
    return await options.run(request.tenant, { ...job, ...seriesTotal, read }, request, undefined, accepts);
  } catch (error) {
    if (!(error instanceof VeronaError) || error.code !== 'bad_data') throw error;
    // In plain text, as Mimir answers it.
    return {
      status: 400,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: `${error.message}\n`,
    };
  }
}

/** Which time of which sources is looked at. */
function span(params: Params, what: CardinalityJob['what'], { clock, activeWindowMs }: CardinalityOptions) {
  const isActive = what === 'activeSeries' || countMethod(params) === 'active';
  const hasSpan = params.text('start') !== undefined || params.text('end') !== undefined;
  if (!hasSpan) {
    const startMs = isActive ? clock.now() - activeWindowMs : MIN_TIME_MS;
    return { headOnly: true, isActive, startMs, endMs: MAX_TIME_MS };
  }
  if (isActive)
    throw new VeronaError(
      'bad_data',
      "'start' and 'end' go with count_method=inmemory only: blocks have no active series",
    );
  const [startMs, endMs] = [params.time('start', MIN_TIME_MS), params.time('end', MAX_TIME_MS)];
  if (endMs < startMs) throw new VeronaError('bad_data', "'end' must not be before 'start'");
  return { headOnly: false, isActive, startMs, endMs };
}

function selector(params: Params): readonly PlainMatcher[] {
  const texts = params.all('selector');
  if (texts.length > 1) throw new VeronaError('bad_data', "multiple 'selector' params are not allowed");
  if (texts.length === 0 || texts[0] === '') return [];
  try {
    return parseMatchers(texts[0]).map(({ type, name, value }) => ({ type, name, value }));
  } catch (cause) {
    throw new VeronaError('bad_data', `failed to parse selector: ${(cause as Error).message}`);
  }
}

function requiredSelector(params: Params): readonly PlainMatcher[] {
  if (params.text('selector') === undefined)
    throw new VeronaError('bad_data', "missing 'selector' parameter");
  return selector(params);
}

function names(params: Params): readonly string[] {
  const all = [...new Set(params.all('label_names[]'))].sort();
  if (all.length === 0) throw new VeronaError('bad_data', "'label_names[]' param is required");
  if (all.includes('')) throw new VeronaError('bad_data', "invalid 'label_names' param ''");
  if (all.length > NAMES_MAX)
    throw new VeronaError('bad_data', `more than ${NAMES_MAX} 'label_names[]' params are not allowed`);
  return all;
}

function limit(params: Params): number {
  const texts = params.all('limit');
  if (texts.length === 0) return LIMIT_DEFAULT;
  if (texts.length > 1) throw new VeronaError('bad_data', "multiple 'limit' params are not allowed");
  if (!/^[+-]?\d{1,15}$/.test(texts[0]))
    throw new VeronaError('bad_data', `'limit' param is no number: ${JSON.stringify(texts[0].slice(0, 30))}`);
  const value = Number(texts[0]);
  if (value < 0) throw new VeronaError('bad_data', "'limit' param cannot be less than '0'");
  if (value > LIMIT_MAX)
    throw new VeronaError('bad_data', `'limit' param cannot be greater than '${LIMIT_MAX}'`);
  return value;
}

function countMethod(params: Params): string {
  const text = params.text('count_method') ?? 'inmemory';
  if (COUNT_METHODS.includes(text)) return text;
  throw new VeronaError(
    'bad_data',
    `invalid 'count_method' param ${JSON.stringify(text.slice(0, 30))}. valid options are: [${COUNT_METHODS.join(',')}]`,
  );
}
