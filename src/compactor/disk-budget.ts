import { INDEX_FILE } from '../blocks/layout.ts';
import { abortError, type BucketContext } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import type { Disk } from '../platform/disk.ts';
import type { Gauge, Metrics } from '../platform/metrics.ts';
import { DiskShortage } from './disk-shortage.ts';
import type { CompactorJob } from './job.ts';

/** For `meta.json`, folders, and what file systems round up. */
const EXTRA_BYTES = 1024 * 1024;
/** Aggregates of sparse samples take more than the samples. */
const DOWNSAMPLED_SHARE = 1.5;

/** Bytes of disk that a job takes at most, sources and result, as far as their sizes tell. */
export function diskNeedOf({ kind, blocks, shards }: CompactorJob): number {
  let all = 0;
  let index = 0;
  for (const { sizes } of blocks)
    for (const [file, sizeBytes] of sizes) {
      all += sizeBytes;
      if (file === INDEX_FILE) index += sizeBytes;
    }
  const result = kind === 'downsample' ? DOWNSAMPLED_SHARE * all : all;
  // Series wait beside the index until its symbols are known, and shards have some symbols each.
  return Math.ceil(all + result + index * (shards > 1 ? 2 : 1)) + EXTRA_BYTES;
}

export interface DiskBudgetOptions {
  /** Folder below which jobs work; nothing else is in it. */
  readonly dir: string;
  /** Left free for what else is on the disk. */
  readonly reserveBytes: number;
  readonly metrics: Metrics;
}

/**
 * Promises space on one disk to jobs, so that those that run at once do not fill it together. What a job has written already
 * counts as its own.
 */
export class DiskBudget {
  readonly #disk: Disk;
  readonly #options: DiskBudgetOptions;
  readonly #gauge: Gauge;
  /** Jobs are let in by the order in which they come, so that a large one is not passed over again and again. */
  readonly #line = new Gate(1);
  #reserved = 0;
  #released = Promise.withResolvers<void>();

  constructor(disk: Disk, options: DiskBudgetOptions) {
    this.#disk = disk;
    this.#options = options;
    this.#gauge = options.metrics.gauge(
      'verona_compactor_disk_reserved_bytes',
      'Disk space that is promised to running jobs.',
    );
  }

  /**
   * Resolves when there is room for so many bytes, with what gives them back; waits as long as jobs that run will make room.
   * Throws `DiskShortage` when the disk is too full even without them.
   */
  reserve(ctx: BucketContext, bytes: number, onWait: () => void): Promise<() => void> {
    return this.#line.run(ctx.signal, 'wait for disk', async () => {
      for (;;) {
        const released = this.#released.promise;
        const room = await this.#room();
        if (bytes <= room - this.#reserved) return this.#take(bytes);
        if (bytes > room || this.#reserved === 0) throw DiskShortage.before(bytes, room - this.#reserved);
        onWait();
        await orAbort(released, ctx.signal);
      }
    });
  }

  #take(bytes: number): () => void {
    this.#change(bytes);
    return () => {
      this.#change(-bytes);
      const { resolve } = this.#released;
      this.#released = Promise.withResolvers<void>();
      resolve();
    };
  }

  #change(bytes: number): void {
    this.#reserved += bytes;
    this.#gauge.set(this.#reserved);
  }

  /** What jobs may have in all. */
  async #room(): Promise<number> {
    const { dir, reserveBytes } = this.#options;
    await this.#disk.makeDir(dir);
    return (await this.#disk.freeBytes(dir)) + (await bytesIn(this.#disk, dir)) - reserveBytes;
  }
}

/** Bytes of all files in a folder and below; what vanishes meanwhile has none. */
async function bytesIn(disk: Disk, dir: string): Promise<number> {
  let bytes = 0;
  for (const { name, isDirectory } of await disk.list(dir)) {
    const path = `${dir}/${name}`;
    bytes += isDirectory ? await bytesIn(disk, path) : ((await disk.stat(path))?.sizeBytes ?? 0);
  }
  return bytes;
}

function orAbort(done: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal, 'wait for disk'));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void done.then(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
