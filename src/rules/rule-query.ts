import { VeronaError } from '../model/errors.ts';
import type { FloatHistogram } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import type { Engine } from '../promql/engine.ts';
import type { Queryable } from '../storage/querier.ts';

/** One series of an answer at one time. */
export interface RuleSample {
  readonly labels: Labels;
  /** NaN beside a histogram. */
  readonly value: number;
  readonly histogram: FloatHistogram | undefined;
}

/** Evaluates PromQL at one time, ms. A scalar is one sample without labels; anything but vectors and scalars is an `execution` error. */
export type RuleQuery = (query: string, timeMs: number) => Promise<readonly RuleSample[]>;

export function engineQuery(engine: Engine, source: Queryable, signal: AbortSignal): RuleQuery {
  return async (query, timeMs) => {
    const { value } = await engine.instant({ signal }, source, query, { timeMs });
    if (value.type === 'scalar') return [{ labels: Labels.empty, value: value.v, histogram: undefined }];
    if (value.type !== 'vector') throw new VeronaError('execution', 'rule result is not a vector or scalar');
    const { labels, values, histograms } = value.columns;
    return labels.map((series, row) => ({
      labels: series,
      value: histograms?.[row] === undefined ? values[row] : Number.NaN,
      histogram: histograms?.[row],
    }));
  };
}
