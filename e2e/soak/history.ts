import { blockRef } from '../../src/blocks/layout.ts';
import { uploadBlock } from '../../src/compactor/upload.ts';
import type { Bucket } from '../../src/objstore/bucket.ts';
import { MemoryDisk } from '../../src/platform/memory-disk.ts';
import { SeededRandom } from '../../src/platform/random.ts';
import { newUlid } from '../../src/tsdb/block/ulid.ts';
import { writeTestBlock } from '../../src/tsdb/compact/testdata/blocks.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** Several in each window of an hour, none in some windows of five minutes. */
const SCRAPE_MS = 10 * 60_000;
const BLOCK_MS = 2 * HOUR_MS;
const SERIES = 4;

/** What tenants have in every block: gauges whose values are told by series and time, so that sums tell what is missing or double. */
export class History {
  readonly tenants: readonly string[];
  /** Midnight before the first block. */
  readonly startMs: number;
  readonly days: number;

  constructor(tenants: readonly string[], days: number, nowMs: number) {
    this.tenants = tenants;
    this.days = days;
    this.startMs = (Math.floor(nowMs / DAY_MS) - days) * DAY_MS;
  }

  /** The value of a series at t: small whole numbers, whose sums are exact. */
  value(tenant: string, series: number, t: number): number {
    return 1 + ((this.tenants.indexOf(tenant) * 31 + series * 7 + t / SCRAPE_MS) % 97);
  }

  /** Number and sum of the samples of all series of a tenant in from ≤ t < to. */
  total(tenant: string, from: number, to: number): { readonly count: number; readonly sum: number } {
    let [count, sum] = [0, 0];
    for (let t = from; t < to; t += SCRAPE_MS)
      for (let series = 0; series < SERIES; series++) {
        count++;
        sum += this.value(tenant, series, t);
      }
    return { count, sum };
  }

  /** Brings the blocks of one day of all tenants into the bucket, as ingesters that cut them then would have. */
  async upload(bucket: Bucket, day: number, signal: AbortSignal): Promise<number> {
    const from = this.startMs + day * DAY_MS;
    const starts = Array.from({ length: DAY_MS / BLOCK_MS }, (_, i) => from + i * BLOCK_MS);
    for (const tenant of this.tenants)
      await Promise.all(starts.map((mint) => this.#uploadBlock(bucket, tenant, mint, signal)));
    return starts.length * this.tenants.length;
  }

  async #uploadBlock(bucket: Bucket, tenant: string, mint: number, signal: AbortSignal): Promise<void> {
    const maxt = mint + BLOCK_MS;
    const clock = { now: () => maxt, monotonic: () => maxt, after: () => () => {} };
    const ulid = newUlid(clock, new SeededRandom(maxt / 1000 + this.tenants.indexOf(tenant)));
    const disk = new MemoryDisk();
    const series = Object.fromEntries(
      Array.from({ length: SERIES }, (_, i) => [
        JSON.stringify({ __name__: 'soak', i: String(i) }),
        Array.from({ length: BLOCK_MS / SCRAPE_MS }, (__, k) => {
          const t = mint + k * SCRAPE_MS;
          return { t, value: this.value(tenant, i, t) };
        }),
      ]),
    );
    await writeTestBlock(disk, 'b', { ulid, minTime: mint, maxTime: maxt, series });
    const labels = { __org_id__: tenant };
    await uploadBlock({ signal }, bucket, disk, `b/${ulid}`, blockRef(tenant, ulid), { labels });
  }
}
