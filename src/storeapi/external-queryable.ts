import type { Labels } from '../model/labels.ts';
import { compareStrings } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { LabelChange } from '../storage/label-change.ts';
import type { LabelRequest, Querier, Queryable } from '../storage/querier.ts';
import { relabelSeries } from '../storage/regroup.ts';
import { withoutExternal } from './external-labels.ts';

/** A source as it is seen over the StoreAPI: every series has the external labels, which win. */
export function externalQueryable(source: Queryable, external: Labels): Queryable {
  if (external.size === 0) return source;
  return { querier: async (mint, maxt) => externalQuerier(await source.querier(mint, maxt), external) };
}

function externalQuerier(source: Querier, external: Labels): Querier {
  const change = new LabelChange(external);
  const names = async (ctx: Parameters<Querier['labelNames']>[0], request: LabelRequest) => {
    const matchers = withoutExternal(request.matchers, external);
    return matchers ? source.labelNames(ctx, { ...request, matchers, limit: 0 }) : [];
  };
  return {
    get warnings() {
      return source.warnings;
    },
    async *select(ctx, request) {
      const matchers = withoutExternal(request.matchers, external);
      if (!matchers) return;
      // Series may become equal, so a limit of series is for whoever sees them as they come out.
      const { limit: _, ...hints } = request.hints ?? {};
      const inner = { ...request, matchers: matchers.length > 0 ? matchers : ALL, sorted: true, hints };
      yield* relabelSeries(source.select(ctx, inner), change);
    },
    labelNames: async (ctx, request) => {
      const own = await names(ctx, request);
      if (own.length === 0) return [];
      const all = [...new Set([...own, ...[...external].map(([name]) => name)])].sort(compareStrings);
      return request.limit > 0 ? all.slice(0, request.limit) : all;
    },
    labelValues: async (ctx, name, request) => {
      const value = external.get(name);
      if (value !== '') return (await names(ctx, request)).length > 0 ? [value] : [];
      const matchers = withoutExternal(request.matchers, external);
      return matchers ? source.labelValues(ctx, name, { ...request, matchers }) : [];
    },
    exemplars: async (ctx, sets, mint, maxt) => {
      const inner = sets.flatMap((set) => {
        const matchers = withoutExternal(set, external);
        return matchers ? [matchers] : [];
      });
      if (inner.length === 0) return [];
      const found = await source.exemplars(ctx, inner, mint, maxt);
      return found.map((one) => ({ ...one, labels: one.labels.with(external.toJSON()) }));
    },
    close: () => source.close(),
  };
}

/** A select has one matcher at least. */
const ALL = [new Matcher('=~', '__name__', '.*')];
