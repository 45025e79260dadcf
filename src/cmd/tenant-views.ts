import type { BucketBlock } from '../blocks/block-catalog.ts';
import type { BucketSync } from '../blocks/bucket-sync.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import type { QueryJob } from '../query/jobs.ts';
import { answerTexts, toMatcher } from '../query/label-answers.ts';
import type { PinnedView } from '../query/thread-pool.ts';
import type { Answer } from '../query/thread-protocol.ts';
import type { Db } from '../tsdb/db.ts';
import type { ForeseenAsks, QuerySpan } from '../tsdb/foreseen-asks.ts';
import type { HeadQuerier } from '../tsdb/head/head-querier.ts';
import { HeadServer } from '../tsdb/head-server.ts';
import type { ViewDescription } from '../tsdb/view-sources.ts';
import type { TenantView } from './query-thread.ts';
import { BlockSharer } from './shared-blocks.ts';
import { SharedViews } from './shared-views.ts';

/** Pins what one query of a tenant may read: head, local blocks, and the blocks known to be in the bucket. */
export function pinTenantView(
  tenant: string,
  tenants: Tenants,
  tenantsDir: string,
  bucket: BucketSync | undefined,
  job: QueryJob,
  foreseen: ForeseenAsks,
  joined: JoinedView = NOTHING_JOINED,
): PinnedView {
  // Federation shows the last minutes, which no bucket has alone.
  const bucketProblem = job.kind === 'federate' ? undefined : bucket?.problemOf(tenant);
  const problems = [bucketProblem, tenants.problemOf(tenant), ...joined.warnings];
  const blocks = bucket?.blocksOf(tenant) ?? [];
  const found = tenants.find(tenant);
  const local = found && pinLocal(found.db, `${tenantsDir}/${tenant}`, job, foreseen);
  const description = views.of(`${tenant} ${joined.replicaLabels.join(' ')}`, {
    local: local?.description,
    bucketBlocks: blocks.length > 0 ? sharer.share(blocks) : undefined,
    deletions: bucket?.deletionsOf(tenant) ?? NO_DELETIONS,
    ...joined,
    warnings: problems.filter((problem) => problem !== undefined),
  });
  const isOnlyHead =
    local !== undefined &&
    joined.remote === undefined &&
    joined.replicaLabels.length === 0 &&
    description.warnings.length === 0;
  return {
    description,
    answerAtOnce: () =>
      isOnlyHead && !hasBlocksFor(job, description, blocks) ? local.answerAtOnce?.() : undefined,
    ready: local?.ready,
    isSmall: local?.isSmall,
    transfer: local?.transfer,
    serve: (request) => local?.serve(request) ?? Promise.resolve({ reply: undefined, transfer: [] }),
    release: () => local?.release(),
  };
}

type LabelsJob = Extract<QueryJob, { kind: 'labelNames' | 'labelValues' }>;

/** Names and values of labels, but for requests that look at some sources only. */
function isLabels(job: QueryJob): job is LabelsJob {
  return (job.kind === 'labelNames' || job.kind === 'labelValues') && job.read === undefined;
}

/** Whether there are blocks that may have labels of the time asked for. */
function hasBlocksFor(job: QueryJob, { local }: TenantView, bucketBlocks: readonly BucketBlock[]): boolean {
  if (!isLabels(job)) return true;
  const { startMs, endMs } = job;
  const isAsked = (mint: number, end: number) => mint <= endMs && startMs < end;
  return (
    bucketBlocks.some(({ meta }) => isAsked(meta.mint, meta.maxt)) ||
    local?.blocks.some(({ minTime, maxTime }) => isAsked(minTime, maxTime)) === true
  );
}

/** One for the process each: lists and views are told apart by who holds them. */
const sharer = new BlockSharer();
const views = new SharedViews();

/** What a query reads beside the tenant's own data, and how replicas are joined. */
export type JoinedView = Pick<TenantView, 'remote' | 'replicaLabels' | 'dedup' | 'warnings'>;

const NOTHING_JOINED: JoinedView = { remote: undefined, replicaLabels: [], dedup: 'fill', warnings: [] };
const NO_DELETIONS: readonly DeletionRequest[] = [];

interface PinnedLocal extends PinnedView {
  readonly description: ViewDescription;
}

function pinLocal(db: Db, dir: string, job: QueryJob, foreseen: ForeseenAsks): PinnedLocal {
  const view = db.view(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  const { head } = view;
  const ctx = { signal: NEVER };
  const server = new HeadServer({
    slices: (request) => head.slices(request),
    onlySlice: (request) => head.onlySlice(request),
    labelNames: (request) => head.labelNames(ctx, request),
    labelValues: (name, request) => head.labelValues(ctx, name, request),
    labelsAtOnce: (name, request) => head.labelsAtOnce(name, request),
    exemplars: (sets, mint, maxt) => head.exemplars(ctx, sets, mint, maxt),
  });
  try {
    const query = queryOf(job);
    const asks = query ? foreseen.of(query.key, query) : [];
    const { ready, transfer } = server.foresee(asks);
    const isSmall = ready.length > 0 && ready.length === asks.length;
    const description: ViewDescription = {
      dir,
      hasHead: view.usesHead,
      oldestChunkFile: db.head.oldestChunkFile,
      blocks: view.blocks.map(({ block }) => ({
        ulid: block.meta.ulid,
        sources: block.meta.compaction.sources,
        minTime: block.meta.minTime,
        maxTime: block.meta.maxTime,
        tombstonesVersion: block.tombstonesVersion,
      })),
    };
    const release = () => {
      const { learned } = server;
      if (query && learned) foreseen.learn(query.key, query, learned);
      view.release();
    };
    const answerAtOnce = () => (isLabels(job) ? labelsAtOnce(head, job) : undefined);
    return {
      description,
      answerAtOnce,
      ready,
      isSmall,
      transfer,
      serve: (request) => server.serve(request),
      release,
    };
  } catch (error) {
    view.release();
    throw error;
  }
}

function labelsAtOnce(head: HeadQuerier, job: LabelsJob): Answer | undefined {
  const { matcherSets, startMs: mint, endMs: maxt } = job;
  if (matcherSets.length > 1) return undefined;
  // One more than the limit tells whether there is more.
  const limit = job.limit > 0 ? job.limit + 1 : 0;
  const request = { matchers: (matcherSets[0] ?? []).map(toMatcher), mint, maxt, limit };
  const found = head.labelsAtOnce(job.kind === 'labelValues' ? job.name : undefined, request);
  return found && answerTexts(found, job.limit);
}

const NEVER = new AbortController().signal;

/** What makes two queries ask the same of a head, but for the time they are about. */
function queryOf(job: QueryJob): ({ readonly key: string } & QuerySpan) | undefined {
  switch (job.kind) {
    case 'instant':
      return { key: `${job.lookbackDeltaMs} ${job.query}`, start: job.timeMs, end: job.timeMs };
    case 'range': {
      // The last step need not fall on the end.
      const end = job.startMs + Math.floor((job.endMs - job.startMs) / job.stepMs) * job.stepMs;
      return { key: `${job.lookbackDeltaMs} ${job.stepMs} ${job.query}`, start: job.startMs, end };
    }
    case 'labelNames':
    case 'labelValues':
    case 'series': {
      const { kind, matcherSets, limit, startMs: start, endMs: end } = job;
      const name = kind === 'labelValues' ? job.name : '';
      return { key: JSON.stringify([kind, name, limit, matcherSets]), start, end };
    }
    default:
      return undefined;
  }
}
