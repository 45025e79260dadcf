import type { Querier } from './querier.ts';

/** A source without series that has something to say: why an answer may lack data. */
export function emptyQuerier(warnings: readonly string[]): Querier {
  return {
    warnings,
    async *select() {},
    labelNames: async () => [],
    labelValues: async () => [],
    exemplars: async () => [],
    close: async () => {},
  };
}
