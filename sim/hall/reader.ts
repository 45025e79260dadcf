import type { BlockCatalog } from '../../src/blocks/block-catalog.ts';
import { BucketSync } from '../../src/blocks/bucket-sync.ts';
import { DeletedTenants } from '../../src/blocks/deleted-tenants.ts';
import { DeletionRequests } from '../../src/blocks/deletion-requests.ts';
import { Aggregate } from '../../src/chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../src/chunkenc/encoding.ts';
import { decodeLabels } from '../../src/encoding/label-bytes.ts';
import { Labels } from '../../src/model/labels.ts';
import { Matcher } from '../../src/model/matcher.ts';
import type { Disk } from '../../src/platform/disk.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { SeededRandom } from '../../src/platform/random.ts';
import type { SeriesBatch } from '../../src/storage/series-batch.ts';
import { StoreGateway } from '../../src/store-gateway/store-gateway.ts';
import { readAggregates } from '../../src/tsdb/downsample/read-aggregates.ts';
import { windowEnd } from '../../src/tsdb/downsample/window.ts';
import { decodeSamples } from '../../src/tsdb/head/clip-chunk.ts';
import { chunksOf } from '../../src/tsdb/head/complete-slice.ts';
import { TraceLog } from '../trace.ts';
import { SkewedClock } from './skewed-clock.ts';
import { type Hall, NO_SIGNAL, newCatalog } from './surroundings.ts';

const ALL = { matchers: [new Matcher('!=', 'none', 'x')], sorted: true } as const;

/** A store gateway and what keeps its lists fresh, as the query path wires them. Replica labels are left out of names. */
export class Reader {
  readonly #sync: BucketSync;
  readonly #catalog: BlockCatalog;
  readonly #deletedTenants: DeletedTenants;
  readonly #gateway: StoreGateway;
  /** The version of a tenant's model when its last good look began. */
  readonly syncedAt = new Map<string, number>();
  /** Tenants whose last look, good or not, was at listings that may have been stale. */
  readonly stale = new Set<string>();
  readonly #hall: Hall;

  constructor(hall: Hall, disk: Disk, skewMs: number, seed: number) {
    this.#hall = hall;
    const clock = new SkewedClock(hall.clock, skewMs);
    const log = new TraceLog(hall.trace, { reader: true });
    const { bucket } = hall;
    const catalog = newCatalog(hall, bucket, clock, log);
    const random = new SeededRandom(seed);
    const metrics = new Metrics();
    const deletions = new DeletionRequests({ bucket, clock, random, log, metrics });
    this.#catalog = catalog;
    const deletedTenants = new DeletedTenants({ bucket, clock, log });
    this.#deletedTenants = deletedTenants;
    this.#sync = new BucketSync(300_000, { catalog, deletions, deletedTenants, clock, log, metrics });
    this.#gateway = new StoreGateway({ cacheDir: 'headers' }, { bucket, disk, clock, log });
  }

  async refresh(tenant: string, version: number): Promise<void> {
    const { faults } = this.#hall.bucket;
    if (faults.staleLists > 0) this.stale.add(tenant);
    await this.#deletedTenants.refresh(NO_SIGNAL);
    // Blocks in Thanos' layout are looked at with the list of tenants.
    await this.#catalog.tenants(NO_SIGNAL);
    await this.#sync.refresh(tenant);
    this.syncedAt.set(tenant, version);
    if (faults.staleLists === 0) this.stale.delete(tenant);
  }

  /** What the reader says is missing. */
  problemOf(tenant: string): string | undefined {
    return this.#sync.problemOf(tenant);
  }

  /** For whoever looks for a cause: the blocks it reads of a tenant. */
  blocks(tenant: string): readonly string[] {
    return this.#sync.blocksOf(tenant).map(({ meta }) => meta.ulid);
  }

  /** All raw samples of a tenant. Throws when a block shows different values for one time. */
  async samples(tenant: string): Promise<Map<string, Map<number, number>>> {
    const found = new Map<string, Map<number, number>>();
    for await (const batch of this.#select(tenant, 0))
      for (let i = 0; i < batch.seriesCount; i++) {
        const samples = at(found, nameOf(batch, i));
        for (const piece of chunksOf(batch, i))
          for (const { t, value } of decodeSamples(piece)) samples.set(t, value as number);
      }
    return found;
  }

  /** How many samples there are of each series by the end of the window they are in, as what is coarsest at each time tells. */
  async counts(tenant: string, maxMs: number): Promise<Map<string, Map<number, number>>> {
    const found = new Map<string, Map<number, number>>();
    const raw = new Map<string, Map<number, true>>();
    for await (const batch of this.#select(tenant, maxMs))
      for (let i = 0; i < batch.seriesCount; i++) {
        const name = nameOf(batch, i);
        const [windows, times] = [at(found, name), at(raw, name)];
        const add = (t: number, count: number) =>
          windows.set(windowEnd(t, maxMs), (windows.get(windowEnd(t, maxMs)) ?? 0) + count);
        for (const { mint, maxt, encoding, bytes } of chunksOf(batch, i))
          if (encoding === ChunkEncoding.aggregate)
            for (const chunk of readAggregates([{ mint, maxt, encoding, data: bytes }], Aggregate.count))
              for (const { t, value } of decodeSamples({ ...chunk, bytes: chunk.data }))
                add(t, value as number);
          else
            for (const { t } of decodeSamples({ mint, maxt, encoding, bytes })) {
              // Raw samples come twice where blocks overlap, as everywhere; only windows are added up.
              if (!times.has(t)) add(t, 1);
              times.set(t, true);
            }
      }
    return found;
  }

  async *#select(tenant: string, maxMs: number): AsyncGenerator<SeriesBatch> {
    const view = {
      blocks: this.#sync.blocksOf(tenant),
      localUlids: new Set<string>(),
      deletions: this.#sync.deletionsOf(tenant),
    };
    const [mint, maxt] = [0, 2 ** 42];
    const querier = this.#gateway.querier(view, mint, maxt, { maxMs });
    try {
      yield* querier.select(NO_SIGNAL, { ...ALL, mint, maxt, hints: { func: 'sum_over_time' } as never });
    } finally {
      await querier.close();
    }
  }
}

function nameOf({ labelBytes, labelOffsets }: SeriesBatch, i: number): string {
  const labels = decodeLabels(labelBytes.subarray(labelOffsets[i], labelOffsets[i + 1]));
  return Labels.from([...labels].filter(([name]) => name !== 'replica' && name !== 'cluster')).toString();
}

function at<V>(map: Map<string, Map<number, V>>, key: string): Map<number, V> {
  const known = map.get(key) ?? new Map<number, V>();
  map.set(key, known);
  return known;
}
