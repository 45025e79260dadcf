import { ownsEverything } from '../../cluster/assignment.ts';
import { BlockCatalog } from '../../blocks/block-catalog.ts';
import { BlockMarker } from '../../blocks/block-marker.ts';
import type { BucketIndexWriter } from '../../blocks/bucket-index-writer.ts';
import { coveredBlocks } from '../../blocks/covered-blocks.ts';
import { DeletionRequests } from '../../blocks/deletion-requests.ts';
import { blockRef } from '../../blocks/layout.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { MemoryBucket } from '../../objstore/memory-bucket.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import { silentLogger } from '../../platform/log.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Metrics } from '../../platform/metrics.ts';
import { SeededRandom } from '../../platform/random.ts';
import { readTestBlock, type TestBlock, writeTestBlock } from '../../tsdb/compact/testdata/blocks.ts';
import { TestClock } from '../../tsdb/testdata/db-fixture.ts';
import { BudgetedRunner } from '../budgeted-runner.ts';
import { Compactor } from '../compactor.ts';
import type { CompactorOptions } from '../compactor-options.ts';
import { DiskBudget } from '../disk-budget.ts';
import { downloadBlock } from '../download.ts';
import { LocalRunner } from '../local-runner.ts';
import { ownershipBy } from '../ownership.ts';
import { type CompactionRules, CORTEX_RANGES_MS } from '../rules.ts';
import { uploadBlock } from '../upload.ts';

export const HOUR = 3_600_000;
export const WORK_DIR = 'work';
export const TENANT = 'team-a';
export const CTX = { signal: new AbortController().signal };

export const RULES: CompactionRules = {
  rangesMs: CORTEX_RANGES_MS,
  settleMs: HOUR,
  replicaLabels: ['replica'],
  blocksMax: 64,
  indexBytesMax: 0,
  seriesMax: 0,
};

/** A bucket in memory, blocks in it, and compactors that work on it; each one is as after a start of the process. */
export class CompactorKit {
  readonly clock = new TestClock(1_700_352_000_000);
  readonly bucket = new MemoryBucket(this.clock);
  readonly #random = new SeededRandom(7);

  /** Puts a block into the bucket, in Cortex' layout. */
  async put(block: TestBlock, labels: Readonly<Record<string, string>> = {}, resolutionMs = 0): Promise<void> {
    const disk = new MemoryDisk();
    await writeTestBlock(disk, 'b', block);
    await uploadBlock(CTX, this.bucket, disk, `b/${block.ulid}`, blockRef(TENANT, block.ulid), {
      labels: { __org_id__: TENANT, ...labels },
      resolutionMs,
    });
  }

  compactor(
    more: Partial<
      CompactorOptions & {
        rules: CompactionRules;
        bucket: Bucket;
        log: Logger;
        metrics: Metrics;
        index: BucketIndexWriter;
        disk: Disk;
      }
    > = {},
  ): Compactor {
    const { clock } = this;
    const { bucket = this.bucket, log = silentLogger, metrics = new Metrics() } = more;
    const catalog = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, { bucket, clock, log, metrics });
    const { disk = new MemoryDisk() } = more;
    const runner = new BudgetedRunner(
      new LocalRunner({ workDir: WORK_DIR, dedup: 'penalty' }, { bucket, disk, clock, random: this.#random }),
      new DiskBudget(disk, { dir: WORK_DIR, reserveBytes: 0, metrics }),
    );
    return new Compactor(
      {
        rules: RULES,
        cleanup: { deletionDelayMs: 12 * HOUR, partialDelayMs: 48 * HOUR, tenantDelayMs: 6 * HOUR },
        concurrency: 2,
        intervalMs: 60_000,
        ...more,
      },
      {
        bucket,
        catalog,
        marker: new BlockMarker({ bucket, clock, log }),
        deletions: this.deletions(bucket),
        runner,
        ownership: ownershipBy(ownsEverything),
        index: more.index,
        clock,
        log,
        metrics,
      },
    );
  }

  deletions(bucket: Bucket = this.bucket): DeletionRequests {
    const { clock } = this;
    return new DeletionRequests({
      bucket,
      clock,
      random: this.#random,
      log: silentLogger,
      metrics: new Metrics(),
    });
  }

  /** The blocks that a reader sees: not marked longer than `ignoreMs`, not hidden, not covered. */
  async visible(ignoreMs = 6 * HOUR) {
    const { bucket, clock } = this;
    const catalog = new BlockCatalog(
      { ignoreDeletionMarksDelayMs: ignoreMs },
      { bucket, clock, log: silentLogger, metrics: new Metrics() },
    );
    const { readable } = await catalog.refresh(CTX, TENANT, { full: true });
    const covered = coveredBlocks(readable.map(({ meta }) => meta));
    return readable.filter(({ meta }) => !covered.has(meta.ulid));
  }

  /** What a query for everything gives: samples by series; `doubled` counts those in more than one block. */
  async samples(
    resolutionMs?: number,
  ): Promise<{ series: Record<string, [number, number][]>; doubled: number }> {
    const disk = new MemoryDisk();
    const found = new Map<string, Map<number, number>>();
    let doubled = 0;
    for (const { ref, meta, sizes } of await this.visible()) {
      if (resolutionMs !== undefined && meta.resolutionMs !== resolutionMs) continue;
      const job = { ref, mint: meta.mint, maxt: meta.maxt, sizes, replica: '', deletions: [] };
      await downloadBlock(CTX, this.bucket, disk, job, `read/${ref.ulid}`);
      const { series } = await readTestBlock(disk, `read/${ref.ulid}`);
      for (const [key, samples] of Object.entries(series)) {
        const byTime = found.get(key) ?? new Map<number, number>();
        found.set(key, byTime);
        for (const [t, value] of samples) {
          if (byTime.has(t)) doubled++;
          byTime.set(t, value as number);
        }
      }
    }
    const series = Object.fromEntries(
      [...found].sort().map(([key, byTime]) => [key, [...byTime].sort((a, b) => a[0] - b[0])]),
    );
    return { series, doubled };
  }

  /** Keys of all objects, sorted. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const entry of this.bucket.list(CTX, '', { recursive: true })) keys.push(entry.key);
    return keys;
  }
}
