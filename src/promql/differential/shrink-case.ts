import type { Asked, Case } from './case.ts';
import { simplerQueries } from './shrink-query.ts';

/** Cases with less in them, the boldest first. */
export function* simplerCases(given: Case): Generator<Case> {
  for (const query of simplerQueries(given.query)) yield { ...given, query };
  for (const asked of simplerAsked(given.asked)) yield { ...given, asked };
  for (const series of fewer(given.series)) yield { ...given, series };
  for (const [i, one] of given.series.entries())
    for (const samples of fewer(one.samples))
      yield { ...given, series: given.series.map((other, k) => (k === i ? { ...one, samples } : other)) };
}

function* simplerAsked(asked: Asked): Generator<Asked> {
  if (asked.kind === 'instant') return;
  const { start, end, step } = asked;
  for (let t = start; t <= end; t += step) yield { kind: 'instant', t };
  if (end > start) {
    yield { ...asked, start: start + step };
    yield { ...asked, end: end - Math.min(step, end - start) };
  }
}

/** Lists without a half, a quarter, … one of their elements. */
function* fewer<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < list.length; at += size) {
      const left = [...list.slice(0, at), ...list.slice(at + size)];
      if (left.length > 0 || list.length === 1) yield left;
    }
}

/** The simplest case that still fails, found step by step; at most `tries` cases are looked at. */
export async function shrink(
  failing: Case,
  fails: (simpler: Case) => Promise<boolean>,
  tries = 2000,
): Promise<Case> {
  let left = tries;
  let smallest = failing;
  search: while (left > 0) {
    for (const simpler of simplerCases(smallest)) {
      if (left-- <= 0) break search;
      if (await fails(simpler)) {
        smallest = simpler;
        continue search;
      }
    }
    break;
  }
  return smallest;
}
