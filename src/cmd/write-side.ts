import type { Config } from '../config/schema.ts';
import { WasmHeadMemory } from '../kernel/wasm-head-memory.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { HttpRequest, Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Random } from '../platform/random.ts';
import { startThread } from '../platform/threads.ts';
import { Tenants, type TenantsDeps, type TenantsOptions } from '../push/ingester/tenants.ts';
import type { OtlpHandler } from '../push/otlp-handler.ts';
import { type RemoteWriteHandler, WRITE_BODY_MAX } from '../push/remote-write-handler.ts';
import type { TenantLimits } from '../tenancy/limits.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';
import { LocalBlockMaker } from '../tsdb/compact/block-maker.ts';
import { ThreadBlockMaker } from '../tsdb/compact/remote-block.ts';
import type { BucketSide } from './bucket-side.ts';

const PAGE_CACHE_BYTES = 64 * 1024 * 1024;
const PUSH_PATHS = [
  '/api/v1/push',
  '/api/v1/receive',
  '/api/v1/write',
  '/api/prom/push',
  '/prometheus/api/v1/write',
];
const OTLP_PATHS = ['/otlp/v1/metrics', '/api/v1/otlp/v1/metrics', '/api/v1/otlp'];

interface WriteSideDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly limits: TenantLimits;
}

/** The tenants with storage here; `bucket` is where their blocks go. */
export function buildTenants(
  config: Config,
  dir: string,
  bucket: BucketSide | undefined,
  deps: WriteSideDeps,
): Tenants {
  const { disk, random } = deps;
  const pageCache = new PageCache(PAGE_CACHE_BYTES);
  const blockThread = () => startThread(new URL('./block-thread.ts', import.meta.url), undefined);
  return new Tenants(tenantsOptions(config, dir), {
    ...deps,
    pageCache,
    blockMaker: new ThreadBlockMaker(blockThread, new LocalBlockMaker(disk, pageCache)),
    newMemory: (options) => new WasmHeadMemory({ ...options, hashSeed: Math.floor(random.next() * 2 ** 32) }),
    shipping: bucket && shippingTo(bucket, config),
  });
}

function tenantsOptions({ tsdb }: Config, dir: string): TenantsOptions {
  return {
    dir,
    tenantsMax: tsdb.max_tenants,
    blockRangeMs: tsdb.block_duration,
    outOfOrderWindowMs: tsdb.out_of_order_time_window,
    features: tsdb.enable_feature,
    retentionMs: tsdb.retention_time,
    retentionBytes: tsdb.retention_size,
    wal: {
      compression: tsdb.wal_compression ? 'snappy' : 'none',
      fsync: tsdb.wal_fsync,
      fsyncIntervalMs: tsdb.wal_fsync_interval,
      segmentBytes: tsdb.wal_segment_size,
    },
  };
}

function shippingTo({ bucket, sync, deletions }: BucketSide, config: Config): TenantsDeps['shipping'] {
  return { bucket, bucketSync: sync, deletions, intervalMs: config.objstore.sync_interval };
}

/** Remote write goes without a router: its requests are most of all that come. */
export function pushRoutes(remoteWrite: RemoteWriteHandler, otlp: OtlpHandler): Route[] {
  const post = { methods: ['POST'], bodyMax: WRITE_BODY_MAX } as const;
  return [
    ...PUSH_PATHS.map((path) => ({
      ...post,
      path,
      isDirect: true,
      handle: (request: HttpRequest) => remoteWrite.handle(request),
    })),
    ...OTLP_PATHS.map((path) => ({ ...post, path, handle: (request: HttpRequest) => otlp.handle(request) })),
  ];
}

export function otlpOptions({ otlp }: Config) {
  return {
    translationStrategy: otlp.translation_strategy,
    promoteResourceAttributes: otlp.promote_resource_attributes,
  };
}
