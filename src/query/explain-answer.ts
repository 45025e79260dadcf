import { VeronaError } from '../model/errors.ts';
import type { Engine } from '../promql/engine.ts';
import type { RemoteEngines } from '../promql/exec/remote-engines.ts';
import type { SeriesTeam } from '../promql/exec/series-team.ts';
import type { PlanTree } from '../promql/plan/plan-tree.ts';
import type { QueryJob } from './jobs.ts';
import { jsonAnswer } from './json-answer.ts';
import { invalid } from './params.ts';
import type { Answer } from './thread-protocol.ts';

type ExplainJob = Extract<QueryJob, { kind: 'explain' }>;

/** `query_explain` and `query_range_explain`: the plan that would run, in Thanos' shape, and beside it the one as written. */
export function answerExplain(
  { query, times, lookbackDeltaMs }: ExplainJob,
  engine: Engine,
  help: { readonly remote: RemoteEngines | undefined; readonly team: SeriesTeam | undefined },
): Answer {
  try {
    const { before, after } = engine.plans(query, { ...times, lookbackDeltaMs, ...help });
    return jsonAnswer({ ...treeJson(after), before: treeJson(before) });
  } catch (error) {
    if (error instanceof VeronaError && error.code === 'bad_data') throw invalid('query', error.message);
    throw error;
  }
}

function treeJson({ name, children }: PlanTree): object {
  return children.length === 0 ? { name } : { name, children: children.map(treeJson) };
}
