import type { BucketBlock } from '../blocks/block-catalog.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import type { JobLimits, QueryJob } from '../query/jobs.ts';
import { answerTexts, toMatcher } from '../query/label-answers.ts';
import { answerNewest, type BareSelectors } from '../query/newest-answer.ts';
import type { PinnedView } from '../query/thread-pool.ts';
import type { Answer } from '../query/thread-protocol.ts';
import type { Db } from '../tsdb/db.ts';
import type { ForeseenAsks, QuerySpan } from '../tsdb/foreseen-asks.ts';
import type { HeadQuerier } from '../tsdb/head/head-querier.ts';
import { packReady } from '../tsdb/head-ask.ts';
import { HeadServer } from '../tsdb/head-server.ts';
import type { ViewDescription } from '../tsdb/view-sources.ts';
import type { TenantView } from './query-thread.ts';
import type { ServedBlocks } from './served-blocks.ts';
import { BlockSharer } from './shared-blocks.ts';
import { SharedViews } from './shared-views.ts';

/** What this thread knows of queries that came before, and can answer by itself. */
export interface Shortcuts {
  readonly foreseen: ForeseenAsks;
  readonly bare: BareSelectors;
  /** How far an instant selector looks back when the query does not say, ms. */
  readonly lookbackDeltaMs: number;
}

/** Pins what one query of a tenant may read: head, local blocks, and the blocks known to be in the bucket. */
export function pinTenantView(
  tenant: string,
  tenants: Tenants,
  tenantsDir: string,
  bucket: ServedBlocks | undefined,
  job: QueryJob,
  shortcuts: Shortcuts,
  joined: JoinedView = NOTHING_JOINED,
): PinnedView {
  // Federation shows the last minutes, which no bucket has alone.
  const bucketProblem = job.kind === 'federate' ? undefined : bucket?.problemOf(tenant);
  const problems = [bucketProblem, tenants.problemOf(tenant), ...joined.warnings];
  const blocks = bucket?.blocksOf(tenant) ?? [];
  const found = tenants.find(tenant);
  const local = found && pinLocal(found.db, `${tenantsDir}/${tenant}`, job, shortcuts);
  const description = views.of(`${tenant} ${joined.replicaLabels.join(' ')}`, {
    local: local?.description,
    bucketBlocks: blocks.length > 0 ? sharer.share(blocks) : undefined,
    deletions: bucket?.deletionsOf(tenant) ?? NO_DELETIONS,
    bucketReads: bucket?.readsOf(tenant),
    ...joined,
    warnings: problems.filter((problem) => problem !== undefined),
  });
  const isOnlyHead =
    local !== undefined &&
    joined.remote === undefined &&
    joined.replicaLabels.length === 0 &&
    description.warnings.length === 0;
  const known = isOnlyHead && !hasBlocksFor(local.known, description, blocks) ? local.known : undefined;
  return {
    description,
    answerAtOnce: (limits) => known?.answer(limits),
    foresee: local?.foresee,
    serve: (request) => local?.serve(request) ?? Promise.resolve({ reply: undefined, transfer: [] }),
    release: () => local?.release(),
  };
}

/** What may be answered here, of samples and series between two times, ms, inclusive. */
interface KnownAnswer {
  readonly mint: number;
  readonly maxt: number;
  answer(limits: JobLimits): Answer | undefined;
}

type LabelsJob = Extract<QueryJob, { kind: 'labelNames' | 'labelValues' }>;

/** Names and values of labels, but for requests that look at some sources only. */
function isLabels(job: QueryJob): job is LabelsJob {
  return (job.kind === 'labelNames' || job.kind === 'labelValues') && job.read === undefined;
}

/** Whether there are blocks that may have a say in an answer. */
function hasBlocksFor(
  known: KnownAnswer | undefined,
  { local }: TenantView,
  bucketBlocks: readonly BucketBlock[],
): boolean {
  if (known === undefined) return true;
  const isAsked = (mint: number, end: number) => mint <= known.maxt && known.mint < end;
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
  readonly known: KnownAnswer | undefined;
}

function pinLocal(db: Db, dir: string, job: QueryJob, shortcuts: Shortcuts): PinnedLocal {
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
    const { foreseen } = shortcuts;
    const query = queryOf(job);
    const asks = query ? foreseen.of(query.key, query) : [];
    const foresee = () => {
      const { ready, transfer } = server.foresee(asks);
      return { ready: packReady(ready), transfer, isSmall: ready.length > 0 && ready.length === asks.length };
    };
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
    return {
      description,
      known: isLabels(job) ? knownLabels(head, job) : knownSamples(head, job, asks.length, shortcuts),
      foresee,
      serve: (request) => server.serve(request),
      release,
    };
  } catch (error) {
    view.release();
    throw error;
  }
}

function knownLabels(head: HeadQuerier, job: LabelsJob): KnownAnswer | undefined {
  const { matcherSets, startMs: mint, endMs: maxt } = job;
  if (matcherSets.length > 1) return undefined;
  // One more than the limit tells whether there is more.
  const limit = job.limit > 0 ? job.limit + 1 : 0;
  return {
    mint,
    maxt,
    answer: (limits) => {
      if (limits.mint !== Number.NEGATIVE_INFINITY) return undefined;
      const request = { matchers: (matcherSets[0] ?? []).map(toMatcher), mint, maxt, limit };
      const found = head.labelsAtOnce(job.kind === 'labelValues' ? job.name : undefined, request);
      return found && answerTexts(found, job.limit);
    },
  };
}

/** The newest samples of a few series, for a query that asked only for them, and for few, the last time. */
function knownSamples(
  head: HeadQuerier,
  job: QueryJob,
  asked: number,
  { bare, lookbackDeltaMs }: Shortcuts,
): KnownAnswer | undefined {
  const matchers = job.kind === 'instant' && asked === 1 ? bare.matchersOf(job) : undefined;
  if (job.kind !== 'instant' || matchers === undefined) return undefined;
  const maxt = job.timeMs;
  const mint = maxt - (job.lookbackDeltaMs || lookbackDeltaMs) + 1;
  return {
    mint,
    maxt,
    answer: (limits) => {
      if (limits.mint > mint) return undefined;
      const only = head.onlySlice({ matchers, mint, maxt, sorted: false, hints: { newestOnly: true } });
      if (only === undefined || (only.slice && only.slice.deletions.size > 0)) return undefined;
      return answerNewest(only.slice?.gathered, job, mint, limits);
    },
  };
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
