import type { BucketSync } from '../blocks/bucket-sync.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import type { QueryJob } from '../query/jobs.ts';
import type { PinnedView } from '../query/thread-pool.ts';
import type { Db } from '../tsdb/db.ts';
import type { ForeseenSelects, QuerySpan } from '../tsdb/foreseen-selects.ts';
import { HeadServer } from '../tsdb/remote-head.ts';
import type { ViewDescription } from '../tsdb/view-sources.ts';
import type { TenantView } from './query-thread.ts';
import { BlockSharer } from './shared-blocks.ts';

/** Pins what one query of a tenant may read: head, local blocks, and the blocks known to be in the bucket. */
export async function pinTenantView(
  tenant: string,
  tenants: Tenants,
  tenantsDir: string,
  bucket: BucketSync | undefined,
  job: QueryJob,
  foreseen: ForeseenSelects,
  joined: JoinedView = NOTHING_JOINED,
): Promise<PinnedView> {
  // Federation shows the last minutes, which no bucket has alone.
  const bucketProblem = job.kind === 'federate' ? undefined : bucket?.problemOf(tenant);
  const problems = [bucketProblem, tenants.problemOf(tenant)];
  const blocks = bucket?.blocksOf(tenant) ?? [];
  const found = tenants.find(tenant);
  const local = found && (await pinLocal(found.db, `${tenantsDir}/${tenant}`, job, foreseen));
  const description: TenantView = {
    local: local?.description,
    bucketBlocks: blocks.length > 0 ? sharer.share(blocks) : undefined,
    deletions: bucket?.deletionsOf(tenant) ?? [],
    ...joined,
    warnings: [...problems.filter((problem) => problem !== undefined), ...joined.warnings],
  };
  return {
    description,
    transfer: local?.transfer,
    serve: (request) => local?.serve(request) ?? Promise.resolve({ reply: undefined, transfer: [] }),
    release: () => local?.release(),
  };
}

/** One for the process: lists are told apart by who holds them. */
const sharer = new BlockSharer();

/** What a query reads beside the tenant's own data, and how replicas are joined. */
export type JoinedView = Pick<TenantView, 'remote' | 'replicaLabels' | 'dedup' | 'warnings'>;

const NOTHING_JOINED: JoinedView = { remote: undefined, replicaLabels: [], dedup: 'fill', warnings: [] };

interface PinnedLocal extends PinnedView {
  readonly description: ViewDescription;
}

async function pinLocal(db: Db, dir: string, job: QueryJob, foreseen: ForeseenSelects): Promise<PinnedLocal> {
  const view = db.view(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  const ctx = { signal: new AbortController().signal };
  const server = new HeadServer({
    slices: (request) => view.head.slices(request),
    labelNames: (request) => view.head.labelNames(ctx, request),
    labelValues: (name, request) => view.head.labelValues(ctx, name, request),
    exemplars: (sets, mint, maxt) => view.head.exemplars(ctx, sets, mint, maxt),
  });
  const query = queryOf(job);
  const { ready, transfer } = await server
    .foresee(query ? foreseen.of(query.key, query) : [])
    .catch((error) => {
      view.release();
      throw error;
    });
  const description: ViewDescription = {
    ready,
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
    if (query) foreseen.learn(query.key, query, server.smallSelects);
    view.release();
  };
  return { description, transfer, serve: (request) => server.serve(request), release };
}

/** What makes two queries ask the same of a head, but for the time they are about. */
function queryOf(job: QueryJob): ({ readonly key: string } & QuerySpan) | undefined {
  if (job.kind === 'instant')
    return { key: `${job.lookbackDeltaMs} ${job.query}`, start: job.timeMs, end: job.timeMs };
  if (job.kind !== 'range') return undefined;
  // The last step need not fall on the end.
  const end = job.startMs + Math.floor((job.endMs - job.startMs) / job.stepMs) * job.stepMs;
  return { key: `${job.lookbackDeltaMs} ${job.stepMs} ${job.query}`, start: job.startMs, end };
}
