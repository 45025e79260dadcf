import { decodeLabels } from '../encoding/label-bytes.ts';
import { LabelJson } from '../encoding/label-json.ts';
import { compareStrings, type Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import type { Querier, Queryable } from '../storage/querier.ts';
import { ByteSink } from './byte-sink.ts';
import type { PlainMatcher, QueryJob } from './jobs.ts';
import { type Annotations, JSON_BEGIN, jsonEnd, jsonHeaders, textAnswer } from './json-answer.ts';
import { labelsJson } from './labels-json.ts';
import type { Answer } from './thread-protocol.ts';

type LabelJob = Extract<QueryJob, { kind: 'labelNames' | 'labelValues' | 'series' }>;
type SeriesJob = Extract<QueryJob, { kind: 'series' }>;

/** `labels`, `label/<name>/values` and `series`: the union over all `match[]`, sorted. */
export async function answerLabels(
  job: LabelJob,
  queryable: Queryable,
  signal: AbortSignal,
): Promise<Answer> {
  const querier = await queryable.querier(job.startMs, job.endMs);
  try {
    if (job.kind === 'series' && job.matcherSets.length === 1)
      return await seriesOfOneSet(job, querier, signal);
    const { result, truncated } =
      job.kind === 'series' ? await series(job, querier, signal) : await texts(job, querier, signal);
    return textAnswer(result, annotationsOf(querier.warnings, truncated));
  } finally {
    await querier.close();
  }
}

/** The answer to a request for names or values of which all are known; `found` is sorted, and one more than the limit when there are more. */
export function answerTexts(found: readonly string[], limit: number): Answer {
  const { kept, truncated } = cut(found, limit);
  return textAnswer(JSON.stringify(kept), annotationsOf([], truncated));
}

function annotationsOf(warnings: readonly string[], truncated: boolean): Annotations {
  return { warnings: truncated ? [...warnings, 'results truncated due to limit'] : warnings, infos: [] };
}

/** `result` is a JSON array. */
type Listed = { readonly result: string; readonly truncated: boolean };

async function texts(
  job: Extract<LabelJob, { kind: 'labelNames' | 'labelValues' }>,
  querier: Querier,
  signal: AbortSignal,
): Promise<Listed> {
  const sets = job.matcherSets.length > 0 ? job.matcherSets : [[]];
  const found = new Set<string>();
  // One more than the limit tells whether there is more.
  const limit = job.limit > 0 ? job.limit + 1 : 0;
  for (const set of sets) {
    const request = { matchers: set.map(toMatcher), mint: job.startMs, maxt: job.endMs, limit };
    const some =
      job.kind === 'labelNames'
        ? await querier.labelNames({ signal }, request)
        : await querier.labelValues({ signal }, job.name, request);
    for (const text of some) found.add(text);
  }
  const { kept, truncated } = cut([...found].sort(compareStrings), job.limit);
  return { result: JSON.stringify(kept), truncated };
}

/** The series come in order, each once: their bytes go to the answer without being read. */
async function seriesOfOneSet(job: SeriesJob, querier: Querier, signal: AbortSignal): Promise<Answer> {
  const sink = new ByteSink();
  const json = new LabelJson();
  sink.text(`${JSON_BEGIN}[`);
  let count = 0;
  for await (const { seriesCount, labelBytes, labelOffsets } of seriesOf(
    job,
    job.matcherSets[0],
    querier,
    signal,
  )) {
    signal.throwIfAborted();
    for (let i = 0; i < seriesCount && !isPast(count, job.limit); i++) {
      if (count === job.limit && job.limit > 0) count++;
      else {
        if (count++ > 0) sink.text(',');
        sink.bytes(json.write(labelBytes, labelOffsets[i], labelOffsets[i + 1]));
      }
    }
    if (isPast(count, job.limit)) break;
  }
  const annotations = annotationsOf(querier.warnings, isPast(count, job.limit));
  sink.text(`]${jsonEnd(annotations)}`);
  return { status: 200, headers: jsonHeaders(annotations), parts: sink.take() };
}

/** Whether a series beyond the limit was seen. */
function isPast(count: number, limit: number): boolean {
  return limit > 0 && count > limit;
}

function seriesOf(job: SeriesJob, set: readonly PlainMatcher[], querier: Querier, signal: AbortSignal) {
  const limit = job.limit > 0 ? job.limit + 1 : 0;
  return querier.select(
    { signal },
    {
      matchers: set.map(toMatcher),
      mint: job.startMs,
      maxt: job.endMs,
      sorted: true,
      hints: { func: 'series', labelsOnly: true, ...(limit > 0 ? { limit } : {}) },
    },
  );
}

async function series(job: SeriesJob, querier: Querier, signal: AbortSignal): Promise<Listed> {
  const found = new Map<string, Labels>();
  const limit = job.limit > 0 ? job.limit + 1 : 0;
  for (const set of job.matcherSets) {
    let taken = 0;
    for await (const batch of seriesOf(job, set, querier, signal)) {
      signal.throwIfAborted();
      for (let i = 0; i < batch.seriesCount && (limit === 0 || taken < limit); i++, taken++) {
        const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
        found.set(labels.key(), labels);
      }
      if (limit > 0 && taken >= limit) break;
    }
  }
  const { kept, truncated } = cut([...found.values()], job.limit);
  return { result: `[${kept.map(labelsJson).join(',')}]`, truncated };
}

function cut<T>(all: readonly T[], limit: number): { kept: readonly T[]; truncated: boolean } {
  const truncated = limit > 0 && all.length > limit;
  return { kept: truncated ? all.slice(0, limit) : all, truncated };
}

export function toMatcher(plain: PlainMatcher): Matcher {
  return new Matcher(plain.type, plain.name, plain.value);
}
