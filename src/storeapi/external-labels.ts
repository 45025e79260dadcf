import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';

/**
 * Matchers without those that external labels satisfy already, or undefined when one of these cannot match: then nothing
 * behind the labels is asked for.
 */
export function withoutExternal(matchers: readonly Matcher[], external: Labels): Matcher[] | undefined {
  const left: Matcher[] = [];
  for (const matcher of matchers) {
    const value = external.get(matcher.name);
    if (value === '') left.push(matcher);
    else if (!matcher.matches(value)) return undefined;
  }
  return left;
}

/** Whether data under one of these label sets can satisfy the matchers; no label set at all is everything. */
export function anyCanMatch(matchers: readonly Matcher[], labelSets: readonly Labels[]): boolean {
  return (
    labelSets.length === 0 || labelSets.some((labels) => withoutExternal(matchers, labels) !== undefined)
  );
}
