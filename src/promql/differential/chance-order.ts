import type { Asked } from './case.ts';

/**
 * Whether an answer may depend on an order that Prometheus leaves to a hash map: which of equal elements are the best or
 * the first, where they come out of a function of single steps or are counted values.
 */
export function dependsOnChance(query: string, asked: Asked): boolean {
  return (
    /topk|bottomk|limitk/.test(query) && (asked.kind === 'range' || /count_values|histogram_/.test(query))
  );
}
