import { VeronaError } from '../model/errors.ts';
import { abortError, type Bucket, type BucketContext } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import { assertNever } from '../platform/assert.ts';
import { type Clock, sleep } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Metrics } from '../platform/metrics.ts';
import type { Random } from '../platform/random.ts';
import { filePieces } from './file-pieces.ts';
import { type BlockLayout, type BlockRef, blockRef, META_FILE } from './layout.ts';
import { type LocalBlock, listBlockFiles, scanLocalBlocks } from './local-blocks.ts';
import { type BlockFile, META_SIZE_BYTES_MAX, parseMeta, withThanosSection } from './meta.ts';
import { OverlapCheck } from './overlap-check.ts';
import { readShipped, writeShipped } from './ship-file.ts';
import { initialShipState, type ShipAction, type ShipEvent, type ShipState, stepShip } from './ship-state.ts';
import { clearUnfinishedMarks } from './unfinished-marks.ts';

export interface ShipperOptions {
  readonly tenant: string;
  /** The tenant's data folder, with its blocks in it. */
  readonly dir: string;
  /** Also blocks that a compaction made (level above 1), unless the bucket has blocks of the same labels and time. */
  readonly uploadCompacted?: boolean;
  /** External labels; in the tenant's layout `__org_id__` comes to them. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Where blocks go: `tenant` (the default) below the tenant's folder as Cortex has it, `root` as Thanos has it. */
  readonly layout?: BlockLayout;
  /** Who made the block, in Thanos' words. */
  readonly source?: 'receive' | 'sidecar';
}

export interface ShipperDeps {
  readonly bucket: Bucket;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Bounds file uploads at once; one for all tenants of a process. */
  readonly gate?: Gate;
}

/** What one round did. */
export interface ShipReport {
  readonly uploaded: number;
  /** Blocks that failed too often in this round; the next one tries them again. */
  readonly failed: readonly string[];
}

export const TENANT_LABEL = '__org_id__';
export const SHIP_RULES = { blocksMax: 2, failuresMax: 5 } as const;
const UPLOADS_AT_ONCE = 4;
const DELAY_MS_FIRST = 500;
const DELAY_MS_MAX = 30_000;

/**
 * Brings one tenant's finished blocks into the bucket, each once, its `meta.json` last. A crash at any point is fine:
 * what is unfinished is finished by the next round, what is finished is recognised. The steps are in `ship-state.ts`.
 */
export class Shipper {
  readonly #options: ShipperOptions;
  readonly #deps: ShipperDeps;
  readonly #gate: Gate;
  readonly #counters: ShipCounters;
  readonly #locals = new Map<string, LocalBlock>();
  readonly #files = new Map<string, readonly BlockFile[]>();
  readonly #running = new Set<Promise<void>>();
  readonly #overlaps: OverlapCheck;
  /** Compacted blocks that were told of as not to be shipped. */
  readonly #held = new Set<string>();
  #state: ShipState;
  #recorded: Promise<void> = Promise.resolve();
  #round: Promise<ShipReport> | undefined;

  private constructor(options: ShipperOptions, deps: ShipperDeps, shipped: readonly string[]) {
    this.#options = options;
    this.#deps = { ...deps, log: deps.log.child({ tenant: options.tenant }) };
    this.#gate = deps.gate ?? new Gate(UPLOADS_AT_ONCE);
    this.#counters = shipCounters(deps.metrics);
    this.#overlaps = new OverlapCheck(
      deps.bucket,
      options.layout === 'root' ? '' : `${options.tenant}/`,
      this.#labels,
    );
    this.#state = initialShipState(shipped);
  }

  /** Reads what earlier processes shipped. A state file that cannot be read costs a look into the bucket per block. */
  static async open(options: ShipperOptions, deps: ShipperDeps): Promise<Shipper> {
    return new Shipper(options, deps, await readShipped(deps.disk, options.dir, deps.log));
  }

  /** Whether a block is known to have been brought into the bucket whole. Before the local one goes ask `BucketBlocks.holds` as well. */
  isShipped(ulid: string): boolean {
    return this.#state.shipped.has(ulid);
  }

  /** Ships what there is to ship. A round that runs already is joined. Rejects only when cancelled or when the folder cannot be read. */
  sync(ctx: BucketContext): Promise<ShipReport> {
    this.#round ??= this.#runRound(ctx).finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #runRound(ctx: BucketContext): Promise<ShipReport> {
    this.#counters.syncs.inc();
    try {
      const before = this.#state.shipped;
      this.#apply(ctx, { kind: 'scanned', ulids: await this.#scan(ctx) });
      while (this.#running.size > 0) await Promise.race(this.#running);
      if (ctx.signal.aborted) throw abortError(ctx.signal, `ship blocks of ${this.#options.tenant}`);
      return this.#report(before);
    } catch (error) {
      this.#counters.syncFailures.inc();
      // Nothing runs any more; blocks that were midway begin anew.
      this.#state = initialShipState([...this.#state.shipped]);
      throw error;
    }
  }

  #report(before: ReadonlySet<string>): ShipReport {
    const { blocks, shipped } = this.#state;
    return { uploaded: [...shipped].filter((ulid) => !before.has(ulid)).length, failed: [...blocks.keys()] };
  }

  async #scan(ctx: BucketContext): Promise<string[]> {
    const { disk, log } = this.#deps;
    const { blocks, broken } = await scanLocalBlocks(disk, this.#options.dir);
    for (const error of broken) log.warn('a block cannot be shipped', { error: error.message });
    const wanted = blocks.filter(({ meta }) => meta.level <= 1);
    if (this.#options.uploadCompacted)
      wanted.push(
        ...(await this.#unrepeated(
          ctx,
          blocks.filter(({ meta }) => meta.level > 1),
        )),
      );
    wanted.sort((a, b) => a.meta.mint - b.meta.mint);
    this.#locals.clear();
    for (const block of wanted) this.#locals.set(block.meta.ulid, block);
    return [...this.#locals.keys()];
  }

  /** Compacted blocks whose samples are not in the bucket in other blocks already: a compactor may halt on such twins. */
  async #unrepeated(ctx: BucketContext, blocks: readonly LocalBlock[]): Promise<LocalBlock[]> {
    const isShipped = ({ meta }: LocalBlock) => this.#state.shipped.has(meta.ulid);
    if (!blocks.every(isShipped)) await this.#overlaps.refresh(ctx);
    return blocks.filter((block) => {
      const twin = isShipped(block) ? undefined : this.#overlaps.overlapping(block.meta);
      if (twin !== undefined && !this.#held.has(block.meta.ulid)) {
        this.#held.add(block.meta.ulid);
        this.#deps.log.warn(
          'a compacted block is not shipped: the bucket has another of the same labels and time',
          {
            ulid: block.meta.ulid,
            other: twin,
          },
        );
      }
      return twin === undefined;
    });
  }

  #apply(ctx: BucketContext, event: ShipEvent): void {
    const { state, actions } = stepShip(this.#state, event, SHIP_RULES);
    this.#state = state;
    for (const action of actions) this.#start(ctx, action);
  }

  #start(ctx: BucketContext, action: ShipAction): void {
    const running = this.#perform(ctx, action)
      .catch((error: unknown) => this.#failed(ctx, action.ulid, error))
      .then((event) => {
        if (!ctx.signal.aborted) this.#apply(ctx, event);
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #failed(ctx: BucketContext, ulid: string, error: unknown): ShipEvent {
    if (!ctx.signal.aborted) {
      this.#counters.uploadFailures.inc();
      this.#deps.log.warn('a block was not shipped', { ulid, error: (error as Error).message });
    }
    return { kind: 'failed', ulid };
  }

  async #perform(ctx: BucketContext, action: ShipAction): Promise<ShipEvent> {
    const { ulid } = action;
    switch (action.kind) {
      case 'check':
        return this.#check(ctx, ulid);
      case 'upload_file':
        await this.#uploadFile(ctx, ulid, action.file);
        return { kind: 'file_uploaded', ulid };
      case 'upload_meta':
        await this.#uploadMeta(ctx, ulid);
        return { kind: 'meta_uploaded', ulid };
      case 'record':
        await this.#record(action.shipped);
        return { kind: 'recorded', ulid };
      case 'wait':
        await sleep(this.#deps.clock, this.#delayMs(action.failures), ctx.signal);
        return { kind: 'due', ulid };
      default:
        return assertNever(action);
    }
  }

  async #check(ctx: BucketContext, ulid: string): Promise<ShipEvent> {
    if (await this.#isComplete(ctx, ulid)) {
      await clearUnfinishedMarks(ctx, this.#deps.bucket, this.#ref(ulid));
      return { kind: 'checked', ulid, complete: true, files: [] };
    }
    this.#files.set(ulid, await listBlockFiles(this.#deps.disk, `${this.#options.dir}/${ulid}`));
    return { kind: 'checked', ulid, complete: false, files: await this.#missing(ctx, ulid) };
  }

  /** Files that the bucket lacks. Blocks never change: one that an interrupted upload left in full length is the file. */
  async #missing(ctx: BucketContext, ulid: string): Promise<string[]> {
    const present = new Map<string, number>();
    const folder = this.#key(ulid, '');
    for await (const entry of this.#deps.bucket.list(ctx, folder, { recursive: true }))
      if (entry.kind === 'object') present.set(entry.key.slice(folder.length), entry.sizeBytes);
    const files = this.#files.get(ulid) ?? [];
    return files
      .filter(({ relPath, sizeBytes }) => present.get(relPath) !== sizeBytes)
      .map(({ relPath }) => relPath);
  }

  /** A `meta.json` that does not decode was cut off while it was written; then the block is not there yet. */
  async #isComplete(ctx: BucketContext, ulid: string): Promise<boolean> {
    const key = this.#key(ulid, META_FILE);
    try {
      parseMeta(await this.#deps.bucket.get(ctx, key, META_SIZE_BYTES_MAX), key, ulid);
      return true;
    } catch (error) {
      if (error instanceof VeronaError && (error.code === 'not_found' || error.code === 'corrupt'))
        return false;
      throw error;
    }
  }

  async #uploadFile(ctx: BucketContext, ulid: string, file: string): Promise<void> {
    const path = `${this.#options.dir}/${ulid}/${file}`;
    const sizeBytes = this.#files.get(ulid)?.find(({ relPath }) => relPath === file)?.sizeBytes ?? 0;
    const key = this.#key(ulid, file);
    await this.#gate.run(ctx.signal, `upload ${key}`, () =>
      this.#deps.bucket.upload(ctx, key, filePieces(this.#deps.disk, path, sizeBytes)),
    );
    this.#counters.bytes.inc(sizeBytes);
  }

  async #uploadMeta(ctx: BucketContext, ulid: string): Promise<void> {
    const { dir, source } = this.#options;
    const local = this.#locals.get(ulid);
    if (!local) throw new VeronaError('not_found', `ship block ${ulid}: gone from ${dir}`);
    const section = {
      labels: this.#labels,
      files: this.#files.get(ulid) ?? [],
      source,
    };
    const data = withThanosSection(local.metaBytes, `${dir}/${ulid}/${META_FILE}`, section);
    const { bucket } = this.#deps;
    await bucket.upload(ctx, this.#key(ulid, META_FILE), data);
    // An upload that was away for long may have met the clean-up of what it had left.
    const missing = await this.#missing(ctx, ulid);
    if (missing.length > 0) {
      await bucket.delete(ctx, this.#key(ulid, META_FILE));
      throw new VeronaError('unavailable', `${missing[0]} of block ${ulid} is gone from the bucket again`);
    }
    await clearUnfinishedMarks(ctx, bucket, this.#ref(ulid));
    this.#counters.uploads.inc();
    this.#deps.log.info('a block is in the bucket', { ulid });
  }

  get #labels(): Readonly<Record<string, string>> {
    const { tenant, labels, layout } = this.#options;
    return layout === 'root' ? { ...labels } : { ...labels, [TENANT_LABEL]: tenant };
  }

  #key(ulid: string, file: string): string {
    return `${this.#ref(ulid).folder}/${file}`;
  }

  #ref(ulid: string): BlockRef {
    return blockRef(this.#options.tenant, ulid, this.#options.layout);
  }

  /** One write after the other, so that the longer list is written last. */
  #record(shipped: readonly string[]): Promise<void> {
    const write = () => writeShipped(this.#deps.disk, this.#options.dir, shipped);
    const written = this.#recorded.then(write);
    this.#recorded = written.catch(() => {});
    return written;
  }

  #delayMs(failures: number): number {
    const ceiling = Math.min(DELAY_MS_MAX, DELAY_MS_FIRST * 2 ** (failures - 1));
    return ceiling * (0.5 + this.#deps.random.next() / 2);
  }
}

interface ShipCounters {
  readonly syncs: Counter;
  readonly syncFailures: Counter;
  readonly uploads: Counter;
  readonly uploadFailures: Counter;
  readonly bytes: Counter;
}

function shipCounters(metrics: Metrics): ShipCounters {
  return {
    syncs: metrics.counter('verona_shipper_dir_syncs_total', 'Rounds of looking for blocks to ship.'),
    syncFailures: metrics.counter('verona_shipper_dir_sync_failures_total', 'Rounds that did not end.'),
    uploads: metrics.counter('verona_shipper_uploads_total', 'Blocks brought into the bucket.'),
    uploadFailures: metrics.counter(
      'verona_shipper_upload_failures_total',
      'Steps of an upload that failed.',
    ),
    bytes: metrics.counter('verona_shipper_uploaded_bytes_total', 'Bytes of blocks brought into the bucket.'),
  };
}
