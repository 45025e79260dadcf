import { VeronaError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';
import type { WireLabelNamesRequest, WireLabelSet, WireMatcher, WireSeriesRequest } from './messages.ts';
import { checkedShard } from './shard.ts';
import type { LabelsRequest, PartialResponse, SeriesRequest, Shard } from './store-server.ts';

const MATCH_TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];
const BATCH_SIZE_MAX = 4096;
const WARN = 0;
const ABORT = 1;

/** Throws `bad_data` for matchers and shards that are none. */
export function readSeriesRequest(wire: WireSeriesRequest): SeriesRequest {
  return {
    mint: clampTime(wire.min_time),
    maxt: clampTime(wire.max_time),
    matchers: wire.matchers.map(readMatcher),
    maxResolutionMs: wire.max_resolution_window,
    aggregates: wire.aggregates,
    partialResponse: partialResponseOf(wire),
    skipChunks: wire.skip_chunks,
    stepMs: wire.query_hints?.step_millis ?? 0,
    rangeMs: wire.query_hints?.range?.millis ?? 0,
    func: wire.query_hints?.func?.name ?? '',
    shard: readShard(wire),
    withoutReplicaLabels: wire.without_replica_labels,
    limit: Math.max(0, wire.limit),
    batchSize: Math.min(Math.max(1, wire.response_batch_size), BATCH_SIZE_MAX),
  };
}

function readShard({ shard_info }: WireSeriesRequest): Shard | undefined {
  if (!shard_info) return undefined;
  const { shard_index: index, total_shards: total, by, labels } = shard_info;
  return checkedShard({ index, total, by, labels });
}

export function readLabelsRequest(wire: WireLabelNamesRequest): LabelsRequest {
  return {
    mint: clampTime(wire.start),
    maxt: clampTime(wire.end),
    matchers: wire.matchers.map(readMatcher),
    withoutReplicaLabels: wire.without_replica_labels,
    limit: Math.max(0, wire.limit),
    partialResponse: partialResponseOf(wire),
  };
}

/** Throws `bad_data` for a type that is none. */
export function readMatcher({ type, name, value }: WireMatcher): Matcher {
  const matchType = MATCH_TYPES[type];
  if (matchType === undefined) throw new VeronaError('bad_data', `matcher type ${type} is not known`);
  return new Matcher(matchType, name, value);
}

export function writeMatchers(matchers: readonly Matcher[]): WireMatcher[] {
  return matchers.map(({ type, name, value }) => ({ type: MATCH_TYPES.indexOf(type), name, value }));
}

export function writeLabelSet(labels: Labels): WireLabelSet {
  return { labels: [...labels].map(([name, value]) => ({ name, value })) };
}

function partialResponseOf(wire: {
  readonly partial_response_disabled: boolean;
  readonly partial_response_strategy: number;
}): PartialResponse {
  return wire.partial_response_disabled || wire.partial_response_strategy === 1 ? 'abort' : 'warn';
}

/** Clients say "always" with the ends of int64, which are beyond the times that exist here. */
function clampTime(t: number): number {
  return Math.min(Math.max(t, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

export function readLabelSet({ labels }: WireLabelSet): Labels {
  return Labels.from(labels.map(({ name, value }) => [name, value] as const));
}

export function writeSeriesRequest(request: SeriesRequest): WireSeriesRequest {
  const { shard, func, stepMs, rangeMs } = request;
  return {
    min_time: request.mint,
    max_time: request.maxt,
    matchers: writeMatchers(request.matchers),
    max_resolution_window: request.maxResolutionMs,
    aggregates: request.aggregates,
    partial_response_disabled: request.partialResponse === 'abort',
    partial_response_strategy: request.partialResponse === 'abort' ? ABORT : WARN,
    skip_chunks: request.skipChunks,
    query_hints: {
      step_millis: stepMs,
      func: func === '' ? null : { name: func },
      grouping: null,
      range: rangeMs === 0 ? null : { millis: rangeMs },
    },
    shard_info: shard
      ? { shard_index: shard.index, total_shards: shard.total, by: shard.by, labels: shard.labels }
      : null,
    without_replica_labels: request.withoutReplicaLabels,
    limit: request.limit,
    response_batch_size: request.batchSize,
  };
}

export function writeLabelsRequest(request: LabelsRequest): WireLabelNamesRequest {
  return {
    partial_response_disabled: request.partialResponse === 'abort',
    partial_response_strategy: request.partialResponse === 'abort' ? ABORT : WARN,
    start: request.mint,
    end: request.maxt,
    matchers: writeMatchers(request.matchers),
    without_replica_labels: request.withoutReplicaLabels,
    limit: request.limit,
  };
}
