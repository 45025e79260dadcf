import type { Matcher } from '../model/matcher.ts';
import { checkedShard } from '../storeapi/shard.ts';
import type { Shard } from '../storeapi/store-server.ts';
import type { PlainMatcher, ReadOptions } from './jobs.ts';
import { invalid, type Params } from './params.ts';

/** Thanos' parameters; `replicaLabels` is what its documentation says, with brackets what its code reads. */
export function readOptions(params: Params): ReadOptions {
  const replicaLabels = [...params.all('replicaLabels[]'), ...params.all('replicaLabels')];
  const partial = params.text('partial_response');
  const shard = params.text('shard_info');
  return {
    dedup: params.flag('dedup', true),
    replicaLabels: replicaLabels.length > 0 ? replicaLabels : undefined,
    partialResponse: partial === undefined ? undefined : params.flag('partial_response'),
    storeMatches: params.matcherSets('storeMatch[]').map((matchers) => matchers.map(plain)),
    ...(shard !== undefined && { shard: shardOf(shard) }),
  };
}

const NAMES = ['dedup', 'replicaLabels[]', 'replicaLabels', 'partial_response', 'storeMatch[]', 'shard_info'];

/** Whether a request has any of them. */
export function hasReadOptions(params: Params): boolean {
  return NAMES.some((name) => params.has(name));
}

/** JSON of `thanos.ShardInfo`, as Thanos' query frontend sends it; what is missing is 0, false or empty. */
function shardOf(text: string): Shard | undefined {
  let info: { shard_index?: unknown; total_shards?: unknown; by?: unknown; labels?: unknown } | null;
  try {
    info = JSON.parse(text);
  } catch {
    throw invalid('shard_info', 'it is no JSON');
  }
  const { shard_index: index = 0, total_shards: total = 0, by = false, labels = [] } = info ?? {};
  const isWhole =
    typeof index === 'number' && typeof total === 'number' && typeof by === 'boolean' && isTexts(labels);
  if (!isWhole) throw invalid('shard_info', 'expected shard_index, total_shards, by and labels');
  return checkedShard({ index, total, by, labels });
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function plain({ type, name, value }: Matcher): PlainMatcher {
  return { type, name, value };
}
