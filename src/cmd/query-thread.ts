import type { DeletionRequest } from '../blocks/deletion-request.ts';
import { type CacheOptions, withCache } from '../objstore/cache/open-cache.ts';
import { HedgedBucket } from '../objstore/hedged-bucket.ts';
import { type BucketOptions, openBucket } from '../objstore/open-bucket.ts';
import { StoreCounts } from '../objstore/store-counts.ts';
import { SystemClock } from '../platform/clock.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { type LogLevel, PinoLog } from '../platform/pino-log.ts';
import { SystemRandom } from '../platform/random.ts';
import type { CountMemory } from '../platform/shared-counts.ts';
import { threadParent } from '../platform/threads.ts';
import { KernelPool } from '../promql/exec/kernel-pool.ts';
import { type BudgetCounter, SharedBudget } from '../promql/exec/shared-budget.ts';
import type { Features } from '../promql/query-options.ts';
import { Answerer } from '../query/answer.ts';
import { DistributedQueries } from '../query/distributed-queries.ts';
import { ThreadHost } from '../query/thread-host.ts';
import { type DedupFunction, dedupQueryable } from '../storage/dedup/dedup-querier.ts';
import { emptyQuerier } from '../storage/empty-querier.ts';
import { mergeQueriers } from '../storage/merge.ts';
import type { Queryable } from '../storage/querier.ts';
import type { LocalTime } from '../store-gateway/choose-blocks.ts';
import { StoreGateway } from '../store-gateway/store-gateway.ts';
import { type RemoteRead, type RemoteStore, RemoteStores } from '../storeapi/remote-stores.ts';
import { shardQueryable } from '../storeapi/shard-queryable.ts';
import { withoutAggregates } from '../tsdb/downsample/aggregate-querier.ts';
import { unpackReady } from '../tsdb/head-ask.ts';
import { type ViewDescription, ViewSources } from '../tsdb/view-sources.ts';
import { bucketAsStore } from './bucket-as-store.ts';
import { watchCredentials } from './endpoint-credentials.ts';
import type { RemoteSettings } from './endpoints.ts';
import { resolutionWish } from './resolution-wish.ts';
import type { BucketReads } from './served-blocks.ts';
import { type SharedBlocks, SharedBlocksReader } from './shared-blocks.ts';

/** What a query thread is started with. */
export interface QueryThreadData {
  readonly lookbackDeltaMs: number;
  readonly maxSamples: number;
  readonly maxBytes: number;
  /** One for all threads. */
  readonly budget: { readonly counter: BudgetCounter; readonly bytesMax: number };
  readonly timeoutMs: number;
  readonly features: Features;
  readonly bucket: BucketOptions | undefined;
  /** Where all threads of the process count what they ask of the bucket. */
  readonly counts: CountMemory | undefined;
  readonly hedgeReads: boolean;
  readonly cache: CacheOptions | undefined;
  /** Which of the threads it is: each has its part of what a cache may take of this machine. */
  readonly part: { readonly number: number; readonly count: number };
  readonly cacheDir: string;
  /** What this thread may hold of the bucket, about. */
  readonly gatewayMemoryBytes: number;
  /** undefined when no endpoint is configured. */
  readonly remote: RemoteSettings | undefined;
  readonly pageCacheBytes: number;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

/** Everything of a tenant that one query may read. */
export interface TenantView {
  readonly local: ViewDescription | undefined;
  /** Undefined when there is no bucket. */
  readonly bucketBlocks: SharedBlocks | undefined;
  readonly deletions: readonly DeletionRequest[];
  /** Undefined when there is no bucket. */
  readonly bucketReads: BucketReads | undefined;
  /** What is known to be missing. */
  readonly warnings: readonly string[];
  readonly remote: RemoteView | undefined;
  /** Labels that tell replicas apart; none when the answer is to show each. */
  readonly replicaLabels: readonly string[];
  readonly dedup: DedupFunction;
}

/** Stores elsewhere that a query asks too. */
export interface RemoteView {
  readonly stores: readonly RemoteStore[];
  readonly read: RemoteRead;
  /** Whether they may evaluate parts of a query. */
  readonly evaluates: boolean;
}

/** A query thread: evaluates, decodes and writes answers; asks the main thread only for slices of heads. */
const { port, data } = threadParent();
const options = data as QueryThreadData;
const clock = new SystemClock();
const disk = new NodeDisk();
const log = PinoLog.open(options.logLevel, options.logFormat);
const sources = new ViewSources(disk, options.pageCacheBytes);
const sharedBlocks = new SharedBlocksReader();
const gateway = options.bucket && (await openGateway(options.bucket));
const remotes = options.remote && openRemotes(options.remote);
const kernels = new KernelPool();
const { maxSamples, maxBytes, timeoutMs, features } = options;
const budget = new SharedBudget(options.budget.counter, options.budget.bytesMax);
const answerer = new Answerer(
  { maxSamples, maxBytes, budget, timeoutMs, features, clock, kernels },
  options.lookbackDeltaMs,
);

new ThreadHost(port, {
  clock,
  kernels,
  answer: (...request) => answerer.answer(...request),
  open: ({ tenant, view, ready, job, limits, timeoutMs: queryTimeoutMs }, ask, verifiesChunks) => {
    const wish = resolutionWish(job);
    const { local, bucketBlocks, bucketReads, deletions, warnings, remote, replicaLabels, dedup } =
      view as TenantView;
    const inBucket = (shared: SharedBlocks) => ({
      blocks: sharedBlocks.read(tenant, shared),
      localUlids: new Set(local?.blocks.flatMap((block) => [block.ulid, ...block.sources])),
      localBlocks: local?.blocks.map(toLocalTime),
      deletions,
      ...bucketReads,
    });
    const source: Queryable = {
      querier: async (mint, maxt) => {
        if (job.kind === 'cardinality' && job.headOnly)
          return local ? sources.head(local, ask) : emptyQuerier(warnings);
        const answers = unpackReady(ready as readonly unknown[] | undefined);
        const queriers = local ? await sources.queriers(local, ask, mint, maxt, answers) : [];
        if (gateway && bucketBlocks) queriers.push(gateway.querier(inBucket(bucketBlocks), mint, maxt, wish));
        if (remotes && remote)
          queriers.push(
            ...remotes.queriers(tenant, remote.stores, { ...remote.read, verifiesChunks }, mint, maxt),
          );
        if (warnings.length > 0) queriers.push(emptyQuerier(warnings));
        const all = mergeQueriers(queriers);
        // What is only in memory is raw.
        const isOwnHead = !local?.blocks.length && bucketBlocks === undefined && remote === undefined;
        return wish.maxMs > 0 && job.kind !== 'storeSeries' && !isOwnHead ? withoutAggregates(all) : all;
      },
    };
    const whole = replicaLabels.length > 0 ? dedupQueryable(source, replicaLabels, dedup) : source;
    const sharded = job.read?.shard ? shardQueryable(whole, job.read.shard) : whole;
    const joined =
      gateway && bucketBlocks && wish.maxMs === Number.POSITIVE_INFINITY
        ? {
            querier: (mint: number, maxt: number) => sharded.querier(mint, maxt),
            spacingOf: (mint: number, maxt: number) =>
              gateway.spacing(inBucket(bucketBlocks), mint, maxt, wish),
          }
        : sharded;
    // Own data have no label that would keep them apart from those of stores.
    if (!remotes || !remote?.evaluates || local) return joined;
    const { stores: endpoints, read } = remote;
    const bucketed = gateway && bucketBlocks ? [bucketAsStore(sharedBlocks.read(tenant, bucketBlocks))] : [];
    const stores = [...endpoints, ...bucketed];
    const options = { tenant, stores, ...read, replicaLabels, mint: limits.mint, timeoutMs: queryTimeoutMs };
    return { ...joined, remote: new DistributedQueries(remotes, options, clock) };
  },
});

function openRemotes({ client, credentials: files, ...rest }: RemoteSettings): RemoteStores {
  const credentials = watchCredentials(files, clock, log);
  return new RemoteStores({ ...rest, client: { ...client, credentials } }, clock);
}

async function openGateway(bucket: BucketOptions): Promise<StoreGateway> {
  const { cache, part, hedgeReads } = options;
  const counts = new StoreCounts(options.counts);
  const opened = await openBucket(bucket, { disk, clock, random: new SystemRandom(), counts });
  const hedged = hedgeReads ? new HedgedBucket(opened, { clock, counts }) : opened;
  const cached = cache ? await withCache(hedged, cache, { disk, clock, log, counts, part }) : hedged;
  return new StoreGateway(
    { cacheDir: options.cacheDir, memoryBytes: options.gatewayMemoryBytes },
    { bucket: cached, disk, clock, log },
  );
}

function toLocalTime({ ulid, sources, minTime, maxTime }: ViewDescription['blocks'][number]): LocalTime {
  return { mint: minTime, maxt: maxTime, sources: [ulid, ...sources] };
}
