import { formatFloat } from '../encoding/number-text.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Engine } from '../promql/engine.ts';
import { walk } from '../promql/parser/ast.ts';
import type { ExemplarSeries, Queryable } from '../storage/querier.ts';
import type { QueryJob } from './jobs.ts';
import { jsonAnswer } from './json-answer.ts';
import type { Answer } from './thread-protocol.ts';

/** `query_exemplars`: the exemplars of every series that a selector of the query names. */
export async function answerExemplars(
  job: Extract<QueryJob, { kind: 'exemplars' }>,
  queryable: Queryable,
  engine: Engine,
  signal: AbortSignal,
): Promise<Answer> {
  const sets: (readonly Matcher[])[] = [];
  walk(engine.parse(job.query), (node) => {
    if (node.kind === 'vector') sets.push(node.matchers);
  });
  if (sets.length === 0) return jsonAnswer([]);
  const querier = await queryable.querier(job.startMs, job.endMs);
  try {
    const found = await querier.exemplars({ signal }, sets, job.startMs, job.endMs);
    return jsonAnswer(found.map(toJson), { warnings: querier.warnings, infos: [] });
  } finally {
    await querier.close();
  }
}

function toJson({ labels, exemplars }: ExemplarSeries) {
  return {
    seriesLabels: labels,
    exemplars: exemplars.map((exemplar) => ({
      labels: exemplar.labels,
      value: formatFloat(exemplar.value),
      timestamp: exemplar.t / 1000,
    })),
  };
}
