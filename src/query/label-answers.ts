import { decodeLabels } from '../encoding/label-bytes.ts';
import { compareStrings, type Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import type { Querier, Queryable } from '../storage/querier.ts';
import type { PlainMatcher, QueryJob } from './jobs.ts';
import { textAnswer } from './json-answer.ts';
import { labelsJson } from './labels-json.ts';
import type { Answer } from './thread-protocol.ts';

type LabelJob = Extract<QueryJob, { kind: 'labelNames' | 'labelValues' | 'series' }>;

/** `labels`, `label/<name>/values` and `series`: the union over all `match[]`, sorted. */
export async function answerLabels(
  job: LabelJob,
  queryable: Queryable,
  signal: AbortSignal,
): Promise<Answer> {
  const querier = await queryable.querier(job.startMs, job.endMs);
  try {
    const { result, truncated } =
      job.kind === 'series' ? await series(job, querier, signal) : await texts(job, querier, signal);
    const warnings = [...querier.warnings, ...(truncated ? ['results truncated due to limit'] : [])];
    return textAnswer(result, { warnings, infos: [] });
  } finally {
    await querier.close();
  }
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

async function series(
  job: Extract<LabelJob, { kind: 'series' }>,
  querier: Querier,
  signal: AbortSignal,
): Promise<Listed> {
  const found = new Map<string, Labels>();
  const limit = job.limit > 0 ? job.limit + 1 : 0;
  for (const set of job.matcherSets) {
    const batches = querier.select(
      { signal },
      {
        matchers: set.map(toMatcher),
        mint: job.startMs,
        maxt: job.endMs,
        sorted: true,
        hints: { func: 'series', labelsOnly: true, ...(limit > 0 ? { limit } : {}) },
      },
    );
    let taken = 0;
    for await (const batch of batches) {
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
