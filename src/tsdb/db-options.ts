import type { HeadMemory, HeadMemoryOptions } from '../kernel/head-memory.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Random } from '../platform/random.ts';
import type { BlockMeta } from './block/meta.ts';
import type { PageCache } from './chunks/page-cache.ts';
import type { BlockMaker } from './compact/block-maker.ts';
import type { HeadOptions } from './head/head.ts';

/** What a tenant's storage keeps and refuses. Times ms. */
export interface DbLimits {
  /** Length of a block, and the time in the head that becomes one. */
  readonly blockRangeMs: number;
  /** How late a sample may be although its series has a newer one; 0: not at all. */
  readonly outOfOrderWindowMs: number;
  /** How far ahead of the clock a sample may be. */
  readonly futureMs: number;
  readonly exemplarsMax: number;
  /** As in `HeadLimits`. */
  readonly keepStartTimes: boolean;
  readonly ingestStartZeros: boolean;
  /** A write request that decodes to more is refused with `too_large`. */
  readonly requestBytesMax: number;
  /** Local blocks that ended longer ago are removed; 0: never. */
  readonly retentionMs: number;
  /** The oldest local blocks are removed while the directory is larger; 0: never. */
  readonly retentionBytes: number;
}

export const DB_LIMITS_DEFAULT: DbLimits = {
  blockRangeMs: 7_200_000,
  outOfOrderWindowMs: 0,
  futureMs: 600_000,
  exemplarsMax: 100_000,
  keepStartTimes: false,
  ingestStartZeros: false,
  requestBytesMax: 32 * 1024 * 1024,
  retentionMs: 0,
  retentionBytes: 0,
};

/** Whom a new block concerns, and who may object to its removal. */
export interface DbHooks {
  /** Called after a block became part of what is queried. Errors are logged. */
  onBlock?(meta: BlockMeta): void | Promise<void>;
  /** Whether a block may be removed from here, e.g. because it was shipped. */
  canDelete?(ulid: string): boolean | Promise<boolean>;
}

export interface DbOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The tenant's data directory; made when it is not there. */
  readonly dir: string;
  readonly limits?: Partial<DbLimits>;
  readonly newMemory: (options: HeadMemoryOptions) => HeadMemory;
  readonly pageCache: PageCache;
  readonly wal?: HeadOptions['wal'];
  readonly hooks?: DbHooks;
  /** Who writes blocks of the head; this thread when undefined. */
  readonly blockMaker?: BlockMaker;
  /** How often to look whether the head is due to become a block and blocks are due to go; 0: only when asked. */
  readonly maintenanceIntervalMs?: number;
}

export const MAINTENANCE_INTERVAL_MS = 60_000;
