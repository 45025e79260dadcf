import { VeronaError } from '../model/errors.ts';
import type { FloatHistogram } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import type { Engine } from '../promql/engine.ts';
import type { RemoteEngines } from '../promql/exec/remote-engines.ts';
import type { Columns, QueryResult, QueryValue } from '../promql/query-result.ts';
import { encodeQueryFrame } from '../proto/query-response.ts';
import type { TimeSeries } from '../proto/time-series.ts';
import type { Queryable } from '../storage/querier.ts';
import { externalQueryable } from '../storeapi/external-queryable.ts';
import type { QueryJob } from './jobs.ts';
import type { ThreadAnswer } from './thread-protocol.ts';

type StoreQueryJob = Extract<QueryJob, { kind: 'storeQuery' }>;

const HISTOGRAM = 2;

/**
 * `thanos.Query`: PromQL over the series as they are seen over the StoreAPI. A stream of responses: what is to be remarked,
 * then the series, then figures.
 */
export async function answerStoreQuery(
  job: StoreQueryJob,
  queryable: Queryable,
  engine: Engine,
  remote: RemoteEngines | undefined,
  signal: AbortSignal,
): Promise<ThreadAnswer> {
  const source = externalQueryable(queryable, Labels.fromSorted(job.external));
  // Peers know nothing of labels that series get here only.
  const helpers = { remote: job.external.length > 0 ? undefined : remote };
  const options = { ...job.times, lookbackDeltaMs: job.lookbackDeltaMs, ...helpers };
  const result =
    'timeMs' in options
      ? await engine.instant({ signal }, source, job.query, options)
      : await engine.range({ signal }, source, job.query, options);
  const { samplesRead, peakSamples, planMs, evaluationMs } = result.stats;
  const figures = { samplesRead, peakSamples, planMs, evaluationMs };
  return { status: 200, headers: {}, parts: [], figures, stream: frames(result, job.batchSize) };
}

async function* frames(result: QueryResult, batchSize: number): AsyncGenerator<Uint8Array> {
  for (const warning of [...result.warnings, ...result.infos])
    yield encodeQueryFrame({ kind: 'warning', warning });
  let series: TimeSeries[] = [];
  for (const one of seriesOf(result.value)) {
    series.push(one);
    if (series.length < batchSize) continue;
    yield encodeQueryFrame({ kind: 'series', series });
    series = [];
  }
  if (series.length > 0) yield encodeQueryFrame({ kind: 'series', series });
  const { samplesRead, peakSamples } = result.stats;
  yield encodeQueryFrame({ kind: 'stats', samplesTotal: samplesRead, peakSamples });
}

function* seriesOf(value: QueryValue): Generator<TimeSeries> {
  switch (value.type) {
    case 'scalar':
      yield { ...EMPTY, samples: [{ t: value.t, v: value.v, startT: 0 }] };
      break;
    case 'vector':
    case 'matrix':
      for (const row of value.columns.labels.keys()) yield rowOf(value.columns, row);
      break;
    case 'string':
    case 'series':
      throw new VeronaError('bad_data', 'thanos.Query has no answer for strings and range vectors');
  }
}

const EMPTY: TimeSeries = { labels: [], samples: [], histograms: [], exemplars: [] };

function rowOf({ grid, labels, values, presence, histograms }: Columns, row: number): TimeSeries {
  const series = { labels: labels[row].flat, samples: [] as TimeSeries['samples'][number][] };
  const found: TimeSeries['histograms'][number][] = [];
  for (let i = 0; i < grid.count; i++) {
    const cell = row * grid.count + i;
    const t = grid.start + i * grid.step;
    if (presence[cell] === HISTOGRAM)
      found.push({ t, histogram: histograms![cell] as FloatHistogram, startT: 0 });
    else if (presence[cell] !== 0) series.samples.push({ t, v: values[cell], startT: 0 });
  }
  return { ...EMPTY, ...series, histograms: found };
}
