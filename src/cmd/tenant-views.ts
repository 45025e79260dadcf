import type { BucketSync } from '../blocks/bucket-sync.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import type { PinnedView } from '../query/thread-pool.ts';
import type { Db } from '../tsdb/db.ts';
import { HeadServer } from '../tsdb/remote-head.ts';
import type { ViewDescription } from '../tsdb/view-sources.ts';
import type { TenantView } from './query-thread.ts';

/** Pins what one query of a tenant may read: head, local blocks, and the blocks known to be in the bucket. */
export function pinTenantView(
  tenant: string,
  tenants: Tenants,
  tenantsDir: string,
  bucket: BucketSync | undefined,
  joined: JoinedView = NOTHING_JOINED,
): PinnedView {
  const problems = [bucket?.problemOf(tenant), tenants.problemOf(tenant)];
  const bucketBlocks = bucket?.blocksOf(tenant) ?? [];
  const found = tenants.find(tenant);
  const local = found && pinLocal(found.db, `${tenantsDir}/${tenant}`);
  const description: TenantView = {
    local: local?.description,
    bucketBlocks,
    deletions: bucket?.deletionsOf(tenant) ?? [],
    ...joined,
    warnings: [...problems.filter((problem) => problem !== undefined), ...joined.warnings],
  };
  return {
    description,
    serve: (request) => local?.serve(request) ?? Promise.resolve({ reply: undefined, transfer: [] }),
    release: () => local?.release(),
  };
}

/** What a query reads beside the tenant's own data, and how replicas are joined. */
export type JoinedView = Pick<TenantView, 'remote' | 'replicaLabels' | 'dedup' | 'warnings'>;

const NOTHING_JOINED: JoinedView = { remote: undefined, replicaLabels: [], dedup: 'fill', warnings: [] };

interface PinnedLocal extends PinnedView {
  readonly description: ViewDescription;
}

function pinLocal(db: Db, dir: string): PinnedLocal {
  const view = db.view(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  const ctx = { signal: new AbortController().signal };
  const server = new HeadServer({
    slices: (request) => view.head.slices(request),
    labelNames: (request) => view.head.labelNames(ctx, request),
    labelValues: (name, request) => view.head.labelValues(ctx, name, request),
    exemplars: (sets, mint, maxt) => view.head.exemplars(ctx, sets, mint, maxt),
  });
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
  return { description, serve: (request) => server.serve(request), release: () => view.release() };
}
