import { formatFloat, formatSeconds } from '../encoding/number-text.ts';
import type { QueryKernel } from '../kernel/query-kernel.ts';
import { VeronaError } from '../model/errors.ts';
import type { FloatHistogram } from '../model/histogram.ts';
import { apiBuckets } from '../model/histogram-text.ts';
import { STALE_NAN_HIGH, STALE_NAN_LOW } from '../model/sample.ts';
import type { Engine } from '../promql/engine.ts';
import type { RemoteEngines } from '../promql/exec/remote-engines.ts';
import type { SeriesTeam } from '../promql/exec/series-team.ts';
import type { QueryOptions } from '../promql/query-options.ts';
import type { Columns, QueryResult, QueryValue } from '../promql/query-result.ts';
import type { Queryable } from '../storage/querier.ts';
import { analysisJson } from './analysis-json.ts';
import { ByteSink } from './byte-sink.ts';
import type { QueryJob } from './jobs.ts';
import { JSON_BEGIN, jsonEnd, jsonHeaders } from './json-answer.ts';
import { labelsJson } from './labels-json.ts';
import { invalid } from './params.ts';
import type { Answer } from './thread-protocol.ts';

type EvaluationJob = Extract<QueryJob, { kind: 'instant' | 'range' }>;
type Series = Extract<QueryValue, { type: 'series' }>['series'][number];

const FLOAT = 1;
const HISTOGRAM = 2;
/** An answer beyond this is refused rather than built. */
const ANSWER_BYTES_MAX = 1024 * 1024 * 1024;

/** So much of an answer is written between two looks at whether it is still wanted: some milliseconds. */
const CHECKED_BYTES = 256 * 1024;

/** `query` and `query_range`. */
export async function answerEvaluation(
  job: EvaluationJob,
  queryable: Queryable,
  engine: Engine,
  kernel: QueryKernel,
  signal: AbortSignal,
  { waitedMs, perStep, ...helpers }: { waitedMs: number; perStep: boolean } & QueryHelpers,
): Promise<Answer> {
  const result = await evaluate(job, queryable, engine, signal, helpers);
  const sink = new ByteSink();
  sink.text(JSON_BEGIN);
  const truncated = new ResultWriter(kernel, sink, job.limit, signal).write(result.value);
  if (job.stats !== 'none') {
    const steps = job.stats === 'all' && perStep ? gridOf(job) : undefined;
    sink.text(`,"stats":${JSON.stringify(statsOf(result, waitedMs, steps))}`);
  }
  if (result.analysis !== undefined)
    sink.text(`,"analysis":${JSON.stringify(analysisJson(result.analysis))}`);
  const warnings = truncated ? [...result.warnings, 'results truncated due to limit'] : result.warnings;
  const annotations = { warnings, infos: result.infos };
  sink.text(`}${jsonEnd(annotations)}`);
  const { samplesRead, peakSamples, planMs, evaluationMs } = result.stats;
  return {
    status: 200,
    headers: jsonHeaders(annotations),
    parts: sink.take(),
    figures: { samplesRead, peakSamples, planMs, evaluationMs },
  };
}

/** Other threads, other processes, and who knows where samples are far apart. */
export interface QueryHelpers {
  readonly team?: SeriesTeam | undefined;
  readonly remote?: RemoteEngines | undefined;
  readonly spacingOf?: QueryOptions['spacingOf'] | undefined;
}

/** What is wrong with the query itself is said of the parameter, as in Prometheus. */
async function evaluate(
  job: EvaluationJob,
  queryable: Queryable,
  engine: Engine,
  signal: AbortSignal,
  helpers: QueryHelpers,
): Promise<QueryResult> {
  try {
    const countSteps = job.stats !== 'none';
    return job.kind === 'instant'
      ? await engine.instant({ signal }, queryable, job.query, { ...job, countSteps, ...helpers })
      : await engine.range({ signal }, queryable, job.query, { ...job, countSteps, ...helpers });
  } catch (error) {
    if (error instanceof VeronaError && error.code === 'bad_data') throw invalid('query', error.message);
    throw error;
  }
}

function gridOf(job: EvaluationJob): { startMs: number; stepMs: number } {
  return job.kind === 'instant' ? { startMs: job.timeMs, stepMs: 0 } : job;
}

/** As Prometheus has them, times in seconds. Rows are sorted as a part of the evaluation. */
function statsOf(
  { stats }: QueryResult,
  waitedMs: number,
  steps: { startMs: number; stepMs: number } | undefined,
) {
  const perStep = stats.samplesPerStep ?? new Float64Array();
  const evaluated = stats.planMs + stats.evaluationMs;
  const seconds = (ms: number) => Number((ms / 1000).toFixed(9));
  return {
    timings: {
      evalTotalTime: seconds(evaluated),
      resultSortTime: 0,
      queryPreparationTime: seconds(stats.planMs),
      innerEvalTime: seconds(stats.evaluationMs),
      execQueueTime: seconds(waitedMs),
      execTotalTime: seconds(waitedMs + evaluated),
    },
    samples: {
      ...(steps && {
        totalQueryableSamplesPerStep: Array.from(perStep, (count, i) => [
          (steps.startMs + i * steps.stepMs) / 1000,
          count,
        ]),
      }),
      totalQueryableSamples: perStep.reduce((sum, count) => sum + count, 0),
      peakSamples: stats.peakSamples,
    },
  };
}

/** Writes a value as Prometheus' JSON, `{"resultType":…,"result":…` without the closing brace. */
class ResultWriter {
  readonly #kernel: QueryKernel;
  readonly #sink: ByteSink;
  readonly #limit: number;
  readonly #signal: AbortSignal;
  #checkedAt = 0;

  constructor(kernel: QueryKernel, sink: ByteSink, limit: number, signal: AbortSignal) {
    this.#signal = signal;
    this.#kernel = kernel;
    this.#sink = sink;
    this.#limit = limit;
  }

  /** True when the limit cut series off. */
  write(value: QueryValue): boolean {
    switch (value.type) {
      case 'scalar':
        return this.#single('scalar', `[${formatSeconds(value.t)},"${formatFloat(value.v)}"]`);
      case 'string':
        return this.#single('string', `[${formatSeconds(value.t)},${JSON.stringify(value.v)}]`);
      case 'vector':
        return this.#columns('vector', value.columns, (row) => this.#vectorRow(value.columns, row));
      case 'matrix':
        return this.#columns('matrix', value.columns, (row) => this.#matrixRow(value.columns, row));
      case 'series':
        return this.#rows(
          'matrix',
          value.series.length,
          (row) => this.#sink.text(labelsJson(value.series[row].labels)),
          (row) => this.#rawRow(value.series[row]),
        );
    }
  }

  /** Throws when the query is to stop, once in a while. */
  #checkNow(): void {
    if (this.#sink.size < this.#checkedAt + CHECKED_BYTES) return;
    this.#checkedAt = this.#sink.size;
    this.#signal.throwIfAborted();
  }

  #single(type: string, text: string): boolean {
    this.#sink.text(`{"resultType":"${type}","result":${text}`);
    return false;
  }

  /** Label sets go from their bytes to the answer without being made. */
  #columns(type: string, { rowLabels }: Columns, writeRow: (row: number) => void): boolean {
    return this.#rows(type, rowLabels.count, (row) => this.#sink.bytes(rowLabels.jsonOf(row)), writeRow);
  }

  #rows(
    type: string,
    rows: number,
    writeLabels: (row: number) => void,
    writeRow: (row: number) => void,
  ): boolean {
    const count = this.#limit > 0 ? Math.min(this.#limit, rows) : rows;
    this.#sink.text(`{"resultType":"${type}","result":[`);
    for (let row = 0; row < count; row++) {
      this.#sink.text(row > 0 ? ',{"metric":' : '{"metric":');
      writeLabels(row);
      writeRow(row);
      this.#checkNow();
      this.#sink.text('}');
      if (this.#sink.size > ANSWER_BYTES_MAX)
        throw new VeronaError(
          'execution',
          `the answer has more than ${ANSWER_BYTES_MAX} bytes; ask for fewer series or fewer steps`,
        );
    }
    this.#sink.text(']');
    return count < rows;
  }

  #vectorRow({ grid, values, presence, histograms }: Columns, row: number): void {
    const time = formatSeconds(grid.start);
    if (presence[row] === HISTOGRAM)
      this.#sink.text(`,"histogram":[${time},${histogramJson(histograms![row] as FloatHistogram)}]`);
    else {
      this.#sink.text(`,"value":[${time},"`);
      this.#sink.bytes(this.#kernel.writeValue(values[row]));
      this.#sink.text('"]');
    }
  }

  #matrixRow({ grid, values, presence, histograms }: Columns, row: number): void {
    const from = row * grid.count;
    const present = presence.subarray(from, from + grid.count);
    if (present.includes(FLOAT)) {
      this.#kernel.setRow(withAbsent(values.subarray(from, from + grid.count), present));
      this.#sink.text(',"values":');
      this.#sink.bytes(
        this.#kernel.writeMatrixRow({ start: grid.start, step: grid.step, steps: grid.count }),
      );
    }
    if (!present.includes(HISTOGRAM)) return;
    const points: string[] = [];
    for (let i = 0; i < grid.count; i++)
      if (present[i] === HISTOGRAM)
        points.push(
          `[${formatSeconds(grid.start + i * grid.step)},${histogramJson(histograms![from + i] as FloatHistogram)}]`,
        );
    this.#sink.text(`,"histograms":[${points.join(',')}]`);
  }

  #rawRow({ floatTimes, floats, histogramTimes, histograms }: Series): void {
    if (floats.length > 0) {
      this.#sink.text(',"values":[');
      for (let i = 0; i < floats.length; i++) {
        this.#sink.text(`${i > 0 ? ',' : ''}[${formatSeconds(floatTimes[i])},"`);
        this.#sink.bytes(this.#kernel.writeValue(floats[i]));
        this.#sink.text('"]');
        this.#checkNow();
      }
      this.#sink.text(']');
    }
    if (histograms.length === 0) return;
    const points = histograms.map(
      (histogram, i) => `[${formatSeconds(histogramTimes[i])},${histogramJson(histogram)}]`,
    );
    this.#sink.text(`,"histograms":[${points.join(',')}]`);
  }
}

/** A row for the kernel: cells that hold no float get the bits it takes for absent (those of the staleness marker). */
function withAbsent(values: Float64Array, present: Uint8Array): Float64Array {
  if (present.every((cell) => cell === FLOAT)) return values;
  const row = values.slice();
  const words = new Uint32Array(row.buffer);
  for (let i = 0; i < row.length; i++)
    if (present[i] !== FLOAT) {
      words[2 * i] = STALE_NAN_LOW;
      words[2 * i + 1] = STALE_NAN_HIGH;
    }
  return row;
}

function histogramJson(histogram: FloatHistogram): string {
  const buckets = apiBuckets(histogram).map(
    ([rule, lower, upper, count]) =>
      `[${rule},"${formatFloat(lower)}","${formatFloat(upper)}","${formatFloat(count)}"]`,
  );
  const list = buckets.length > 0 ? `,"buckets":[${buckets.join(',')}]` : '';
  return `{"count":"${formatFloat(histogram.count)}","sum":"${formatFloat(histogram.sum)}"${list}}`;
}
