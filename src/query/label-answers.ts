import { decodeLabels } from '../encoding/label-bytes.ts';
import { compareStrings } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import type { Querier, Queryable } from '../storage/querier.ts';
import type { PlainMatcher, QueryJob } from './jobs.ts';
import { jsonAnswer } from './json-answer.ts';
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
    return jsonAnswer(result, { warnings, infos: [] });
  } finally {
    await querier.close();
  }
}

type Listed = { result: unknown[]; truncated: boolean };

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
  return cut([...found].sort(compareStrings), job.limit);
}

async function series(
  job: Extract<LabelJob, { kind: 'series' }>,
  querier: Querier,
  signal: AbortSignal,
): Promise<Listed> {
  const found = new Map<string, unknown>();
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
      for (let i = 0; i < batch.seriesCount && (limit === 0 || taken < limit); i++, taken++) {
        const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
        found.set(labels.key(), labels);
      }
      if (limit > 0 && taken >= limit) break;
    }
  }
  return cut([...found.values()], job.limit);
}

function cut(result: unknown[], limit: number): Listed {
  return limit > 0 && result.length > limit
    ? { result: result.slice(0, limit), truncated: true }
    : { result, truncated: false };
}

export function toMatcher(plain: PlainMatcher): Matcher {
  return new Matcher(plain.type, plain.name, plain.value);
}
