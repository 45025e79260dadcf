import { formatFloat } from '../encoding/number-text.ts';
import { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Engine } from '../promql/engine.ts';
import { walk } from '../promql/parser/ast.ts';
import type { ExemplarSeries, Queryable } from '../storage/querier.ts';
import { externalQueryable } from '../storeapi/external-queryable.ts';
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
  const sets = selectorsOf(job.query, engine);
  if (sets.length === 0) return jsonAnswer([]);
  const querier = await queryable.querier(job.startMs, job.endMs);
  try {
    const found = await querier.exemplars({ signal }, sets, job.startMs, job.endMs);
    return jsonAnswer(found.map(toJson), { warnings: querier.warnings, infos: [] });
  } finally {
    await querier.close();
  }
}

function selectorsOf(query: string, engine: Engine): (readonly Matcher[])[] {
  const sets: (readonly Matcher[])[] = [];
  walk(engine.parse(query), (node) => {
    if (node.kind === 'vector') sets.push(node.matchers);
  });
  return sets;
}

/** The same for the StoreAPI: series get `external` labels. The JSON of an `ExemplarsBody`. */
export async function answerStoreExemplars(
  job: Extract<QueryJob, { kind: 'storeExemplars' }>,
  queryable: Queryable,
  engine: Engine,
  signal: AbortSignal,
): Promise<Answer> {
  const sets = selectorsOf(job.query, engine);
  if (sets.length === 0) return exemplarsBody([], []);
  const source = externalQueryable(queryable, Labels.fromSorted(job.external));
  const querier = await source.querier(job.startMs, job.endMs);
  try {
    const found = await querier.exemplars({ signal }, sets, job.startMs, job.endMs);
    return exemplarsBody(found, querier.warnings);
  } finally {
    await querier.close();
  }
}

/** Values are texts that `Number` reads: JSON has no word for some. */
export interface ExemplarsBody {
  readonly series: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly exemplars: readonly {
      readonly labels: Readonly<Record<string, string>>;
      readonly value: string;
      readonly t: number;
    }[];
  }[];
  readonly warnings: readonly string[];
}

function exemplarsBody(found: readonly ExemplarSeries[], warnings: readonly string[]): Answer {
  const body: ExemplarsBody = {
    series: found.map(({ labels, exemplars }) => ({
      labels: labels.toJSON(),
      exemplars: exemplars.map(({ labels: own, value, t }) => ({
        labels: own.toJSON(),
        value: String(value),
        t,
      })),
    })),
    warnings,
  };
  return { status: 200, headers: {}, parts: [new TextEncoder().encode(JSON.stringify(body))] };
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
