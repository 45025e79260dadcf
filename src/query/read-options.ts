import type { Matcher } from '../model/matcher.ts';
import type { PlainMatcher, ReadOptions } from './jobs.ts';
import type { Params } from './params.ts';

/** Thanos' parameters; `replicaLabels` is what its documentation says, with brackets what its code reads. */
export function readOptions(params: Params): ReadOptions {
  const replicaLabels = [...params.all('replicaLabels[]'), ...params.all('replicaLabels')];
  const partial = params.text('partial_response');
  return {
    dedup: params.flag('dedup', true),
    replicaLabels: replicaLabels.length > 0 ? replicaLabels : undefined,
    partialResponse: partial === undefined ? undefined : params.flag('partial_response'),
    storeMatches: params.matcherSets('storeMatch[]').map((matchers) => matchers.map(plain)),
  };
}

const NAMES = ['dedup', 'replicaLabels[]', 'replicaLabels', 'partial_response', 'storeMatch[]'];

/** Whether a request has any of them. */
export function hasReadOptions(params: Params): boolean {
  return NAMES.some((name) => params.has(name));
}

function plain({ type, name, value }: Matcher): PlainMatcher {
  return { type, name, value };
}
