import type { Matcher } from '../model/matcher.ts';
import type { Querier } from './querier.ts';

/** A source of which only series that `matcher` selects can be seen. */
export function narrowQuerier(source: Querier, matcher: Matcher): Querier {
  const narrowed = <R extends { readonly matchers: readonly Matcher[] }>(request: R): R => ({
    ...request,
    matchers: [...request.matchers, matcher],
  });
  return {
    get warnings() {
      return source.warnings;
    },
    select: (ctx, request) => source.select(ctx, narrowed(request)),
    labelNames: (ctx, request) => source.labelNames(ctx, narrowed(request)),
    labelValues: (ctx, name, request) => source.labelValues(ctx, name, narrowed(request)),
    exemplars: (ctx, sets, mint, maxt) =>
      source.exemplars(
        ctx,
        sets.map((matchers) => [...matchers, matcher]),
        mint,
        maxt,
      ),
    close: () => source.close(),
  };
}
