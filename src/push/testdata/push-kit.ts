import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { PlainHeadMemory } from '../../kernel/plain-head-memory.ts';
import { decodeLabels } from '../../encoding/label-bytes.ts';
import { VeronaError } from '../../model/errors.ts';
import { Matcher } from '../../model/matcher.ts';
import type { Clock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { type LimitValues, TenantLimits } from '../../tenancy/limits.ts';
import { RateLimiter } from '../../tenancy/rate-limiter.ts';
import { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { decodeSamples } from '../../tsdb/head/clip-chunk.ts';
import { chunksOf } from '../../tsdb/head/complete-slice.ts';
import { Head } from '../../tsdb/head/head.ts';
import { HeadQuerier } from '../../tsdb/head/head-querier.ts';
import { PushMetrics } from '../push-metrics.ts';
import type { PushContext } from '../remote-write-handler.ts';
import type { TenantDb } from '../tenant-db.ts';

export const NOW = 1_700_000_000_000;

/** A real head on a disk of its own behind the handlers' context. */
export class PushKit {
  readonly metrics = new Metrics();
  readonly context: PushContext;
  readonly head: Head;
  readonly #dir: string;
  nowMs = 0;
  /** What `open` rejects with, when set. */
  refusal: VeronaError | undefined;

  private constructor(head: Head, dir: string, limits: LimitValues) {
    this.head = head;
    this.#dir = dir;
    const clock: Clock = { now: () => NOW, monotonic: () => this.nowMs, after: () => () => {} };
    const db: TenantDb = head;
    this.context = {
      tenants: {
        open: async () => {
          if (this.refusal) throw this.refusal;
          return db;
        },
      },
      limits: new TenantLimits(limits),
      rates: new RateLimiter(clock),
      metrics: new PushMetrics(this.metrics),
    };
  }

  static async open(limits: LimitValues = {}): Promise<PushKit> {
    const dir = await mkdtemp(`${tmpdir()}/push-`);
    const head = await Head.open({
      disk: new NodeDisk(),
      clock: { now: () => NOW, monotonic: () => 0, after: () => () => {} },
      log: silentLogger,
      metrics: new Metrics(),
      dir,
      limits: { chunkRangeMs: 7_200_000, outOfOrderWindowMs: 0, futureMs: 600_000, exemplarsMax: 100 },
      newMemory: (options) => new PlainHeadMemory(options),
      pageCache: new PageCache(1 << 20),
      minValidTime: Number.NEGATIVE_INFINITY,
    });
    return new PushKit(head, dir, limits);
  }

  /** Everything stored, by the text of each series: pairs of time and value. */
  async stored(): Promise<Record<string, [number, unknown][]>> {
    const found: Record<string, [number, unknown][]> = {};
    const request = { matchers: [new Matcher('!=', '__name__', '')], mint: 0, maxt: 2 * NOW, sorted: true };
    const querier = new HeadQuerier(this.head, Number.NEGATIVE_INFINITY);
    for await (const batch of querier.select({ signal: new AbortController().signal }, request))
      for (let i = 0; i < batch.seriesCount; i++) {
        const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
        found[labels.toString()] = chunksOf(batch, i)
          .flatMap((chunk) => decodeSamples(chunk))
          .map(({ t, value }) => [t, value]);
      }
    return found;
  }

  /** `verona_discarded_samples_total` by reason. */
  async discarded(): Promise<Record<string, number>> {
    const metric = await this.metrics.registry.getSingleMetric('verona_discarded_samples_total')!.get();
    return Object.fromEntries(metric.values.map(({ labels, value }) => [String(labels['reason']), value]));
  }

  async close(): Promise<void> {
    await this.head.close();
    await rm(this.#dir, { recursive: true });
  }
}
