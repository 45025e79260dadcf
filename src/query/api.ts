import { VeronaError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import { exprToJson } from '../promql/parser/json.ts';
import type { ParseOptions } from '../promql/parser/options.ts';
import { parseExpr } from '../promql/parser/parse.ts';
import { prettyExpr } from '../promql/parser/pretty.ts';
import { onApiPaths } from './api-paths.ts';
import type { PlainMatcher, QueryJob } from './jobs.ts';
import { jsonResponse } from './json-response.ts';
import { invalid, MAX_TIME_MS, MIN_TIME_MS, Params, parseDurationParam } from './params.ts';
import { hasReadOptions, readOptions } from './read-options.ts';
import type { QueryCaller } from './thread-pool.ts';

const FORM_BYTES_MAX = 10 * 1024 * 1024;
const READ_BYTES_MAX = 10 * 1024 * 1024;
const STEPS_MAX = 11_000;

export interface QueryApiOptions {
  readonly clock: Clock;
  readonly parse: ParseOptions;
  /** Whether range queries that say nothing of `max_source_resolution` are asked as with `auto`. */
  readonly autoDownsampling?: boolean;
  /** Answers a job for a tenant; `timeoutMs` undefined is the server's, `accepts` the encodings of the answer. */
  readonly run: (
    tenant: string,
    job: QueryJob,
    caller: QueryCaller,
    timeoutMs: number | undefined,
    accepts: string | undefined,
  ) => Promise<HttpResponse>;
}

/** Prometheus' HTTP API for reading: requests checked and turned into jobs. */
export function queryRoutes(options: QueryApiOptions): Route[] {
  const { clock, run, parse, autoDownsampling = false } = options;
  const job = (make: (request: HttpRequest, params: Params) => QueryJob) => (request: HttpRequest) => {
    const params = new Params(request);
    const timeoutMs = params.text('timeout') === undefined ? undefined : params.duration('timeout');
    const accepts = request.headers['accept-encoding'];
    const made = make(request, params);
    // Most requests have none, and what is not there need not go to another thread.
    const asked = hasReadOptions(params) ? { ...made, read: readOptions(params) } : made;
    return run(request.tenant, asked, request, timeoutMs, accepts);
  };
  const both = ['GET', 'POST'] as const;
  const api: Route[] = [
    {
      path: '/api/v1/query',
      methods: both,
      isDirect: true,
      bodyMax: FORM_BYTES_MAX,
      handle: job((_, params) => instant(params, clock.now())),
    },
    {
      path: '/api/v1/query_range',
      methods: both,
      isDirect: true,
      bodyMax: FORM_BYTES_MAX,
      handle: job((_, params) => range(params, autoDownsampling)),
    },
    {
      path: '/api/v1/query_explain',
      methods: both,
      bodyMax: FORM_BYTES_MAX,
      handle: job((_, params) => explain(params, { timeMs: params.time('time', clock.now()) })),
    },
    {
      path: '/api/v1/query_range_explain',
      methods: both,
      bodyMax: FORM_BYTES_MAX,
      handle: job((_, params) => explain(params, rangeTimes(params))),
    },
    {
      path: '/api/v1/query_exemplars',
      methods: both,
      bodyMax: FORM_BYTES_MAX,
      handle: job((_, params) => exemplars(params)),
    },
    {
      path: '/api/v1/labels',
      methods: both,
      isDirect: true,
      bodyMax: FORM_BYTES_MAX,
      handle: job((_, params) => ({ kind: 'labelNames', ...labels(params) })),
    },
    {
      path: '/api/v1/label/:name/values',
      methods: ['GET'],
      isDirect: true,
      bodyMax: 0,
      handle: job((request, params) => ({
        kind: 'labelValues',
        name: labelName(request.params.name),
        ...labels(params),
      })),
    },
    {
      path: '/api/v1/series',
      methods: both,
      isDirect: true,
      bodyMax: FORM_BYTES_MAX,
      handle: job((_, params) => series(params)),
    },
    {
      path: '/api/v1/read',
      methods: ['POST'],
      bodyMax: READ_BYTES_MAX,
      handle: (request) => {
        const read = readOptions(new Params(request));
        const asked: QueryJob = { kind: 'remoteRead', body: request.body, read };
        return run(request.tenant, asked, request, undefined, undefined);
      },
    },
    {
      path: '/federate',
      methods: ['GET'],
      bodyMax: 0,
      handle: job((_, params) => federate(params, clock.now())),
    },
    {
      path: '/api/v1/format_query',
      methods: both,
      bodyMax: FORM_BYTES_MAX,
      handle: (request) => formatted(request, parse),
    },
    {
      path: '/api/v1/parse_query',
      methods: both,
      bodyMax: FORM_BYTES_MAX,
      handle: (request) => parsed(request, parse),
    },
  ];
  return onApiPaths(api);
}

function instant(params: Params, now: number): QueryJob {
  return { kind: 'instant', timeMs: params.time('time', now), ...evaluation(params) };
}

function explain(params: Params, times: Extract<QueryJob, { kind: 'explain' }>['times']): QueryJob {
  const { query, lookbackDeltaMs } = evaluation(params);
  return { kind: 'explain', query, lookbackDeltaMs, times };
}

function range(params: Params, autoDownsampling: boolean): QueryJob {
  const times = rangeTimes(params);
  return { kind: 'range', ...times, ...evaluation(params, times.stepMs, autoDownsampling) };
}

function rangeTimes(params: Params) {
  const startMs = params.time('start');
  const endMs = params.time('end');
  if (endMs < startMs) throw invalid('end', 'end timestamp must not be before start time');
  const stepMs = params.duration('step');
  if (stepMs <= 0)
    throw invalid(
      'step',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  if ((endMs - startMs) / stepMs > STEPS_MAX)
    throw new VeronaError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  return { startMs, endMs, stepMs };
}

/** Thanos' two engines are both this one. */
const ENGINES: ReadonlySet<string> = new Set(['prometheus', 'thanos']);

function evaluation(params: Params, stepMs = 0, autoDownsampling = false) {
  const engine = params.text('engine');
  if (engine !== undefined && !ENGINES.has(engine))
    throw invalid('engine', `bad engine ${JSON.stringify(engine)}`);
  const resolution = sourceResolution(params, stepMs, autoDownsampling);
  const { resolutionMaxMs, resolutionBestMs } = resolution;
  const lookbackDeltaMs = lookbackDelta(params) || lookbackOf(resolutionMaxMs ?? resolutionBestMs ?? 0);
  const stats = params.text('stats');
  return {
    query: params.text('query') ?? '',
    limit: params.limit(),
    lookbackDeltaMs,
    ...resolution,
    analyze: params.flag('analyze'),
    stats: stats === undefined ? ('none' as const) : stats === 'all' ? ('all' as const) : ('some' as const),
  };
}

/** Points of an `auto` query per sample of the data it reads, at least: Thanos' number. */
const POINTS_PER_SAMPLE = 5;

/**
 * Thanos' `max_source_resolution`: a duration, seconds, or `auto`. ms; empty when it is not given. `auto` says what suits the step
 * best, and forbids nothing: where only coarser data are left they are better than none.
 */
function sourceResolution(
  params: Params,
  stepMs: number,
  autoDownsampling: boolean,
): { readonly resolutionMaxMs?: number; readonly resolutionBestMs?: number } {
  const text = params.text('max_source_resolution') || (autoDownsampling ? 'auto' : '');
  if (text === '') return {};
  if (text === 'auto') return stepMs > 0 ? { resolutionBestMs: stepMs / POINTS_PER_SAMPLE } : {};
  const resolutionMaxMs = parseDurationParam(text.replace(/^(0s|0ms)$/, '0'));
  if (resolutionMaxMs !== undefined && resolutionMaxMs >= 0) return { resolutionMaxMs };
  throw invalid('max_source_resolution', `not a duration, seconds or auto: ${JSON.stringify(text)}`);
}

/** Samples an hour apart are seen for an hour; 0: the engine's default, which sees those of five minutes. */
function lookbackOf(resolutionMaxMs: number): number {
  return resolutionMaxMs > 5 * 60_000 ? 3_600_000 : 0;
}

/** ms; 0 when it is not given. */
function lookbackDelta(params: Params): number {
  const text = params.text('lookback_delta');
  const ms = text === undefined ? 0 : parseDurationParam(text);
  if (ms !== undefined) return ms;
  throw new VeronaError(
    'bad_data',
    `error parsing lookback delta duration: cannot parse ${JSON.stringify(text)} to a valid duration`,
  );
}

function exemplars(params: Params): QueryJob {
  const startMs = params.time('start', MIN_TIME_MS);
  const endMs = params.time('end', MAX_TIME_MS);
  if (endMs < startMs) throw new VeronaError('bad_data', 'end timestamp must not be before start timestamp');
  return { kind: 'exemplars', query: params.text('query') ?? '', startMs, endMs };
}

function labels(params: Params) {
  const startMs = params.time('start', MIN_TIME_MS);
  const endMs = params.time('end', MAX_TIME_MS);
  return { matcherSets: params.matcherSets().map(selecting), startMs, endMs, limit: params.limit() };
}

function series(params: Params): QueryJob {
  if (params.all('match[]').length === 0) throw new VeronaError('bad_data', 'no match[] parameter provided');
  return { kind: 'series', ...labels(params) };
}

function federate(params: Params, now: number): QueryJob {
  return { kind: 'federate', matcherSets: params.matcherSets().map(selecting), timeMs: now };
}

/** Prometheus refuses selectors that every series would match. */
function selecting(matchers: readonly Matcher[]): PlainMatcher[] {
  if (matchers.every((matcher) => matcher.matchesEmpty))
    throw invalid('match[]', 'match[] must contain at least one non-empty matcher');
  return matchers.map(({ type, name, value }) => ({ type, name, value }));
}

/** A label name as it stands in a path; names that are no identifiers come escaped with `U__`. */
function labelName(text: string): string {
  const name = text.startsWith('U__') ? unescapeName(text) : text;
  if (name === '') throw new VeronaError('bad_data', `invalid label name: ${JSON.stringify(text)}`);
  return name;
}

/** Prometheus' values escaping: `_` twice is `_`, `_hex_` is the code point. */
function unescapeName(text: string): string {
  return text.slice(3).replace(/__|_([0-9a-fA-F]{1,6})_/g, (whole, hex?: string) => {
    if (hex === undefined) return '_';
    const point = Number.parseInt(hex, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

function formatted(request: HttpRequest, options: ParseOptions): HttpResponse {
  return jsonResponse(prettyExpr(parseQuery(request, options)));
}

function parsed(request: HttpRequest, options: ParseOptions): HttpResponse {
  return jsonResponse(exprToJson(parseQuery(request, options)));
}

function parseQuery(request: HttpRequest, options: ParseOptions) {
  try {
    return parseExpr(new Params(request).text('query') ?? '', options);
  } catch (cause) {
    throw invalid('query', (cause as Error).message);
  }
}
