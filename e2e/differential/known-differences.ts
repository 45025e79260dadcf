import type { Asked } from '../../src/promql/differential/case.ts';
import type { Result } from '../../src/promql/differential/compare-outcomes.ts';
import { SHARED_WITH_2 } from '../../src/promql/differential/dialect.ts';

export interface Question {
  readonly query: string;
  readonly asked: Asked;
  readonly theirs: Result;
  readonly ours: Result;
}

/** What Prometheus changed on purpose between 2.42 and 3, or leaves to chance, and the dialect cannot keep from coming up. */
export interface KnownDifference {
  readonly what: string;
  applies(question: Question): boolean;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    what: 'since 3 rows that get the same labels are joined where their samples do not meet',
    applies: ({ query, theirs, ours }) =>
      errorOf(theirs) === 'vector cannot contain metrics with the same labelset' &&
      !('error' in ours) &&
      /label_replace|label_join|-/.test(query),
  },
  {
    what: 'since 3 several matches are too many even where the comparison does not hold',
    applies: ({ query, theirs, ours }) =>
      errorOf(ours)?.startsWith('multiple matches for labels') === true &&
      !errorOf(theirs)?.startsWith('multiple matches') &&
      /[<>=!]/.test(query),
  },
  {
    what: 'since 3 a range pinned by @ stays the same at all steps although another argument varies',
    applies: ({ query, asked }) =>
      asked.kind === 'range' &&
      /predict_linear|quantile_over_time|double_exponential_smoothing/.test(query) &&
      query.includes('@'),
  },
  {
    what: 'since 3 means and deviations of infinite and enormous values are computed in other ways',
    applies: ({ query, theirs, ours }) =>
      SHARED_WITH_2.outermost.some((name) => query.startsWith(name)) &&
      (/huge/.test(query) || [...valuesOf(theirs), ...valuesOf(ours)].some((v) => !(Math.abs(v) < 1e15))),
  },
  {
    what: 'since 3 a counter that is zero further than half an interval before its first sample is not drawn on to there',
    applies: ({ query, theirs, ours }) =>
      /\b(rate|increase)\(/.test(query) && areLittleMore(valuesOf(theirs), valuesOf(ours)),
  },
  {
    what: 'which of equal values is best depends on the order of series in storage',
    applies: ({ query, theirs, ours }) => {
      if (/^(top|bottom)k/.test(query)) return sameNumbers(valuesOf(theirs), valuesOf(ours));
      return /topk|bottomk/.test(query);
    },
  },
  {
    what: '2.42 mixes up the labels of count_values in ranges when it is by several',
    applies: ({ query }) => /count_values by \(\w+, /.test(query),
  },
  {
    what: 'since 3 sums are compensated, which shows where enormous values cancel out',
    applies: ({ query }) => /\bsum\b/.test(query) && query.includes('huge'),
  },
  {
    what: 'since 3 a sum of -0 is 0, which may be seen in what is made of it',
    applies: ({ query }) => /\bsum\b/.test(query) && /count_values|\/|\^/.test(query),
  },
  {
    what: 'dates of what is no time: what Go makes of NaN depends on the processor',
    applies: ({ query }) => /(minute|hour|day_of_\w+|days_in_month|month|year)\(/.test(query),
  },
  {
    what: 'the last digit of a function as computers round it, made much of by another one or made a label or a step',
    applies: ({ query }) => {
      const rounded = query.match(/\b(a?(sin|cos|tan)h?|exp|ln|log2|log10|deg|rad|sqrt)\(|\^/g)?.length ?? 0;
      const steps = /count_values|floor|ceil|round|sgn|[=!<>]=|[<>%]|resets|changes/.test(query);
      return rounded > 1 || (rounded === 1 && steps);
    },
  },
];

function errorOf(result: Result): string | undefined {
  return 'error' in result ? result.error : undefined;
}

function valuesOf(result: Result): number[] {
  if ('error' in result) return [];
  const { answer } = result.outcome;
  if (answer.type === 'vector') return answer.samples.map(({ v }) => v);
  return answer.type === 'matrix' ? answer.series.flatMap(({ floats }) => floats.map(({ v }) => v)) : [];
}

/** Of two samples and an interval of half and of 1.1 beside them: 2.1 / 1.5. */
const DRAWN_ON_MAX = 1.4;

function areLittleMore(theirs: readonly number[], ours: readonly number[]): boolean {
  return (
    theirs.length === ours.length &&
    theirs.every((v, i) => v === ours[i] || (v >= ours[i] * (1 - 1e-12) && v <= ours[i] * DRAWN_ON_MAX))
  );
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  const sorted = (values: readonly number[]) => values.map(String).sort().join();
  return sorted(a) === sorted(b);
}
