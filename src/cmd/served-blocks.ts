import { readFileSync } from 'node:fs';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import type { BucketSync } from '../blocks/bucket-sync.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import { loadRelabelRules } from '../config/relabel-file.ts';
import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { Relabeler } from '../model/relabel.ts';
import type { Clock } from '../platform/clock.ts';
import { BlockSelection, type TimeWindow } from '../store-gateway/block-selection.ts';
import type { RequestLimits } from '../store-gateway/limits.ts';
import type { TimeShareOptions } from '../store-gateway/time-share.ts';
import type { TenantLimits } from '../tenancy/limits.ts';
import { checkInstance } from './check-instance.ts';
import { timeBoundOf } from './time-bound.ts';

/** How a tenant's queries may read the bucket. */
export interface BucketReads {
  readonly window: TimeWindow;
  readonly limits: RequestLimits;
  /** Undefined when this process answers for all time. */
  readonly share: TimeShareOptions | undefined;
}

/** What this process reads of the blocks in the bucket, which need not be all. */
export class ServedBlocks {
  readonly #sync: BucketSync;
  readonly #selection: BlockSelection;
  readonly #limits: TenantLimits;
  readonly #share: Omit<TimeShareOptions, 'tenant'> | undefined;

  constructor(
    sync: BucketSync,
    selection: BlockSelection,
    share: Omit<TimeShareOptions, 'tenant'> | undefined,
    limits: TenantLimits,
  ) {
    this.#sync = sync;
    this.#selection = selection;
    this.#share = share;
    this.#limits = limits;
  }

  problemOf(tenant: string): string | undefined {
    return this.#sync.problemOf(tenant);
  }

  /** The same array as long as nothing changes. */
  blocksOf(tenant: string): readonly BucketBlock[] {
    return this.#selection.select(this.#sync.blocksOf(tenant));
  }

  deletionsOf(tenant: string): readonly DeletionRequest[] {
    return this.#sync.deletionsOf(tenant);
  }

  readsOf(tenant: string): BucketReads {
    const { maxFetchedChunksPerQuery: chunksMax, maxDownloadedBytesPerRequest: bytesMax } =
      this.#limits.of(tenant);
    // Series are counted where all sources meet.
    return {
      window: this.#selection.window,
      limits: { seriesMax: 0, chunksMax, bytesMax },
      share: this.#share && { ...this.#share, tenant },
    };
  }
}

/** The blocks that a configuration wants read. Throws `bad_data`. */
export function blockSelectionOf({ objstore }: Config, clock: Clock): BlockSelection {
  const { selector_relabel_config: text, selector_relabel_config_file: file } = objstore;
  const source =
    text !== ''
      ? { file: 'objstore.selector_relabel_config', text }
      : file !== ''
        ? { file, text: readFileSync(file, 'utf8') }
        : undefined;
  return new BlockSelection(
    new Relabeler(source ? loadRelabelRules(source) : []),
    timeBoundOf(objstore.min_time, 'objstore.min_time', clock, Number.NEGATIVE_INFINITY),
    timeBoundOf(objstore.max_time, 'objstore.max_time', clock, Number.POSITIVE_INFINITY),
  );
}

/** The part of time that this process answers for; undefined for all. Throws `bad_data`. */
export function timeShareOf(config: Config): Omit<TimeShareOptions, 'tenant'> | undefined {
  const { store_gateway: own, objstore } = config;
  checkInstance('store_gateway', own);
  if (own.span < SPAN_MS_MIN || own.span % SPAN_MS_MIN !== 0)
    throw new VeronaError(
      'bad_data',
      'store_gateway.span: some whole hours, since windows of 1h are not divided',
    );
  if (own.replication_factor > 1 && own.unknown_block_delay <= 2 * objstore.sync_interval)
    throw new VeronaError(
      'bad_data',
      'store_gateway.unknown_block_delay: longer than two times objstore.sync_interval, else replicas may count samples twice',
    );
  if (own.instances === 1) return undefined;
  return {
    instance: own.instance,
    instances: own.instances,
    replicationFactor: own.replication_factor,
    spanMs: own.span,
    unknownMs: own.unknown_block_delay,
  };
}

const SPAN_MS_MIN = 3_600_000;
