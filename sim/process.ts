import { BlockCatalog } from '../src/blocks/block-catalog.ts';
import { BucketSync } from '../src/blocks/bucket-sync.ts';
import { DeletedTenants } from '../src/blocks/deleted-tenants.ts';
import { DeletionRequests } from '../src/blocks/deletion-requests.ts';
import type { TenantView } from '../src/cmd/query-thread.ts';
import { ServedBlocks } from '../src/cmd/served-blocks.ts';
import { SharedBlocksReader } from '../src/cmd/shared-blocks.ts';
import { pinTenantView } from '../src/cmd/tenant-views.ts';
import { PlainHeadMemory } from '../src/kernel/plain-head-memory.ts';
import { WasmHeadMemory } from '../src/kernel/wasm-head-memory.ts';
import type { Matcher } from '../src/model/matcher.ts';
import { Relabeler } from '../src/model/relabel.ts';
import type { Bucket } from '../src/objstore/bucket.ts';
import type { Clock } from '../src/platform/clock.ts';
import type { Disk } from '../src/platform/disk.ts';
import type { HttpResponse } from '../src/platform/http.ts';
import { Metrics } from '../src/platform/metrics.ts';
import { SeededRandom } from '../src/platform/random.ts';
import { Tenants } from '../src/push/ingester/tenants.ts';
import { PushMetrics } from '../src/push/push-metrics.ts';
import { RemoteWriteHandler } from '../src/push/remote-write-handler.ts';
import { Answerer } from '../src/query/answer.ts';
import type { QueryJob } from '../src/query/jobs.ts';
import { BareSelectors } from '../src/query/newest-answer.ts';
import { jobLimits } from '../src/query/query-limits.ts';
import { emptyQuerier } from '../src/storage/empty-querier.ts';
import { mergeQueriers } from '../src/storage/merge.ts';
import type { Querier, Queryable } from '../src/storage/querier.ts';
import { BlockSelection } from '../src/store-gateway/block-selection.ts';
import { removeUnfinishedHeaders } from '../src/store-gateway/header-store.ts';
import { StoreGateway } from '../src/store-gateway/store-gateway.ts';
import { TenantLimits } from '../src/tenancy/limits.ts';
import { RateLimiter } from '../src/tenancy/rate-limiter.ts';
import { PageCache } from '../src/tsdb/chunks/page-cache.ts';
import { ForeseenAsks } from '../src/tsdb/foreseen-asks.ts';
import { type ReadyAnswer, unpackReady } from '../src/tsdb/head-ask.ts';
import { ViewSources } from '../src/tsdb/view-sources.ts';
import type { SimulatedClock } from './clock.ts';
import { type Life, LifeClock } from './life.ts';
import type { Plan } from './plan.ts';
import { ProcessBucket } from './process-bucket.ts';
import { type DiskPace, ProcessDisk } from './process-disk.ts';
import { type Trace, TraceLog } from './trace.ts';

/** What outlives processes. */
export interface Surroundings {
  readonly plan: Plan;
  readonly clock: SimulatedClock;
  readonly disk: Disk;
  readonly pace: DiskPace;
  readonly bucket: Bucket;
  readonly trace: Trace;
}

export const TENANTS_DIR = 'data/tsdb';
const CACHE_DIR = 'data/cache';
export const BLOCK_RANGE_MS = 7_200_000;
const SYNC_INTERVAL_MS = 300_000;
const PAGE_CACHE_BYTES = 8 << 20;
const LOOKBACK_MS = 300_000;

/** One life of the whole system in one process, wired as `cmd/system.ts` does, without sockets and threads. */
export class SimProcess {
  readonly life: Life;
  readonly tenants: Tenants;
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #limits: TenantLimits;
  readonly #bucketSync: BucketSync | undefined;
  readonly #served: ServedBlocks | undefined;
  readonly #write: RemoteWriteHandler;
  readonly #gateway: StoreGateway | undefined;
  readonly #sources: ViewSources;
  readonly #answerer: Answerer;
  readonly #sharedBlocks = new SharedBlocksReader();
  readonly #shortcuts = {
    foreseen: new ForeseenAsks(),
    bare: new BareSelectors({}),
    lookbackDeltaMs: LOOKBACK_MS,
  };

  constructor(
    { plan, clock: time, disk: shared, pace, bucket, trace }: Surroundings,
    life: Life,
    seed: number,
  ) {
    this.life = life;
    const random = new SeededRandom(seed);
    const clock = new LifeClock(time, life);
    const disk = new ProcessDisk(shared, life, new SeededRandom(seed + 1), time, pace);
    const reached = new ProcessBucket(bucket, life, new SeededRandom(seed + 2));
    const log = new TraceLog(trace);
    const metrics = new Metrics();
    this.#clock = clock;
    this.#disk = disk;
    const limits = new TenantLimits({ out_of_order_time_window: plan.outOfOrderWindowMs });
    this.#limits = limits;
    const deletions = new DeletionRequests({ bucket: reached, clock, random, log, metrics });
    this.#bucketSync = plan.shipping
      ? new BucketSync(SYNC_INTERVAL_MS, {
          catalog: new BlockCatalog(
            { ignoreDeletionMarksDelayMs: 0 },
            { bucket: reached, clock, log, metrics },
          ),
          deletions,
          deletedTenants: new DeletedTenants({ bucket: reached, clock, log }),
          clock,
          log,
          metrics,
          onTenantDeleted: (tenant) => this.tenants.drop(tenant),
          onListed: (tenant) => this.tenants.applyDeletions({ signal: new AbortController().signal }, tenant),
        })
      : undefined;
    const Memory = plan.memory === 'wasm' ? WasmHeadMemory : PlainHeadMemory;
    this.tenants = new Tenants(
      {
        dir: TENANTS_DIR,
        tenantsMax: 10,
        blockRangeMs: BLOCK_RANGE_MS,
        outOfOrderWindowMs: 0,
        features: [],
        retentionMs: plan.retentionMs,
        retentionBytes: 0,
        wal: { fsync: plan.fsync, fsyncIntervalMs: 45_000, segmentBytes: plan.segmentBytes },
      },
      {
        disk,
        clock,
        random,
        log,
        metrics,
        limits,
        pageCache: new PageCache(PAGE_CACHE_BYTES),
        newMemory: (options) => new Memory({ ...options, hashSeed: Math.floor(random.next() * 2 ** 32) }),
        shipping: this.#bucketSync && {
          bucket: reached,
          bucketSync: this.#bucketSync,
          deletions,
          intervalMs: SYNC_INTERVAL_MS,
        },
      },
    );
    this.#write = new RemoteWriteHandler({
      tenants: this.tenants,
      limits,
      rates: new RateLimiter(clock),
      metrics: new PushMetrics(metrics),
    });
    const everything = new BlockSelection(
      new Relabeler([]),
      () => Number.NEGATIVE_INFINITY,
      () => Number.POSITIVE_INFINITY,
    );
    this.#served = this.#bucketSync && new ServedBlocks(this.#bucketSync, everything, undefined, limits);
    this.#gateway = plan.shipping
      ? new StoreGateway({ cacheDir: CACHE_DIR }, { bucket: reached, disk, clock, log })
      : undefined;
    this.#sources = new ViewSources(disk, PAGE_CACHE_BYTES);
    this.#answerer = new Answerer({ clock }, LOOKBACK_MS);
  }

  async start(): Promise<void> {
    await this.#bucketSync?.start();
    await this.tenants.start();
    await removeUnfinishedHeaders(this.#disk, CACHE_DIR);
  }

  async stop(): Promise<void> {
    await this.tenants.stop();
    await this.#bucketSync?.stop();
  }

  write(tenant: string, body: Uint8Array, version: 1 | 2): Promise<HttpResponse> {
    const message = version === 1 ? 'prometheus.WriteRequest' : 'io.prometheus.write.v2.Request';
    const headers = {
      'content-type': `application/x-protobuf;proto=${message}`,
      'content-encoding': 'snappy',
    };
    return this.#write.handle({ tenant, headers, body });
  }

  /** The body of the answer as text; rejects as a query thread does. What crosses threads is cloned. */
  async query(tenant: string, job: QueryJob): Promise<string> {
    const pinned = pinTenantView(tenant, this.tenants, TENANTS_DIR, this.#served, job, this.#shortcuts);
    try {
      const limits = jobLimits(this.#limits.of(tenant), this.#clock.now());
      const known = pinned.answerAtOnce?.(limits);
      if (known !== undefined)
        return (
          known.text === undefined ? Buffer.concat(known.parts) : Buffer.from(known.text, 'latin1')
        ).toString();
      const view = structuredClone(pinned.description) as TenantView;
      const foreseen = pinned.foresee?.();
      const ready = structuredClone(foreseen?.ready, { transfer: [...(foreseen?.transfer ?? [])] });
      const ask = async (request: unknown) => {
        const { reply, transfer } = await pinned.serve(structuredClone(request));
        return structuredClone(reply, { transfer: [...transfer] });
      };
      const { signal } = new AbortController();
      const queryable = this.#queryable(
        tenant,
        view,
        unpackReady(ready as readonly unknown[] | undefined),
        ask,
      );
      const { parts } = await this.#answerer.answer(job, limits, queryable, signal);
      return Buffer.concat(parts).toString();
    } finally {
      pinned.release();
    }
  }

  async deleteSeries(tenant: string, matcher: Matcher, mint: number, maxt: number): Promise<void> {
    const ctx = { signal: new AbortController().signal };
    await this.tenants.deleteSeries(ctx, tenant, [[matcher]], mint, maxt);
  }

  #queryable(
    tenant: string,
    { local, bucketBlocks, deletions, warnings }: TenantView,
    ready: readonly ReadyAnswer[],
    ask: (request: unknown) => Promise<unknown>,
  ): Queryable {
    const querier = async (mint: number, maxt: number): Promise<Querier> => {
      const queriers = local ? await this.#sources.queriers(local, ask, mint, maxt, ready) : [];
      const localUlids = new Set(local?.blocks.flatMap((block) => [block.ulid, ...block.sources]));
      if (this.#gateway && bucketBlocks) {
        const blocks = this.#sharedBlocks.read(tenant, bucketBlocks);
        queriers.push(this.#gateway.querier({ blocks, localUlids, deletions }, mint, maxt));
      }
      if (warnings.length > 0) queriers.push(emptyQuerier(warnings));
      return mergeQueriers(queriers);
    };
    return { querier };
  }
}
