import { messageOf } from '../model/errors.ts';
import type { BucketContext } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Gauge, Histogram, Metrics } from '../platform/metrics.ts';
import type { BlockCatalog, BucketBlock, TenantBlocks } from './block-catalog.ts';
import type { BucketIndexWriter } from './bucket-index-writer.ts';
import type { DeletedTenants } from './deleted-tenants.ts';
import { type DeletionRequest, needsDeletion } from './deletion-request.ts';
import type { DeletionRequests } from './deletion-requests.ts';

/** Told after each listing that succeeded what a tenant has in the bucket. Its failure is told as one of the listing. */
export type OnListed = (tenant: string, blocks: readonly BucketBlock[]) => Promise<void>;

export interface BucketSyncDeps {
  readonly catalog: BlockCatalog;
  readonly deletions: DeletionRequests;
  readonly deletedTenants: DeletedTenants;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly onListed?: OnListed;
  /** Told in every round, and at once when this process marks one, of each tenant whose deletion is marked. */
  readonly onTenantDeleted?: (tenant: string) => Promise<void>;
  /** Writes bucket indexes; without it none is. */
  readonly index?: BucketIndexWriter;
}

/** Listings of so many tenants are on their way at once: each of them waits for the store several times. */
const TENANTS_AT_ONCE = 8;
/** When no look has gone well for so many intervals, and so long, answers say what they may lack. */
const STALE_INTERVALS = 5;
const STALE_MS_MIN = 5 * 60_000;
const SECONDS_BUCKETS = [0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600];

interface NeededDeletions {
  readonly blocks: readonly BucketBlock[];
  readonly requests: readonly DeletionRequest[];
  readonly needed: readonly DeletionRequest[];
}

/** Keeps the lists of blocks in the bucket and of deletion requests fresh for all tenants: once at the start, then at an interval. */
export class BucketSync {
  readonly name = 'bucket-sync';
  readonly #catalog: BlockCatalog;
  readonly #deletions: DeletionRequests;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  readonly #problems = new Map<string, string>();
  readonly #deletedTenants: DeletedTenants;
  readonly #onListed: OnListed;
  readonly #onTenantDeleted: (tenant: string) => Promise<void>;
  readonly #index: BucketSyncDeps['index'];
  /** What `deletionsOf` found, as long as nothing changes. */
  readonly #needed = new Map<string, NeededDeletions>();
  /** What `problemOf` says of hidden blocks, by the listing. */
  readonly #hidden = new WeakMap<TenantBlocks, { readonly problem: string | undefined }>();
  /** When the last look at a tenant that went well began, by the monotonic clock. */
  readonly #seenMs = new Map<string, number>();
  readonly #seconds: Histogram;
  readonly #failures: Counter;
  readonly #lastGood: Gauge;
  #failed = 0;
  #cancelTimer: (() => void) | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(
    intervalMs: number,
    {
      catalog,
      deletions,
      deletedTenants,
      clock,
      log,
      metrics,
      onListed = async () => {},
      onTenantDeleted = async () => {},
      index,
    }: BucketSyncDeps,
  ) {
    this.#deletedTenants = deletedTenants;
    this.#onTenantDeleted = onTenantDeleted;
    this.#catalog = catalog;
    this.#deletions = deletions;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#log = log;
    this.#onListed = onListed;
    this.#index = index;
    this.#seconds = metrics.histogram(
      'verona_blocks_sync_duration_seconds',
      'How long a look at the blocks of all tenants in the bucket took.',
      SECONDS_BUCKETS,
    );
    this.#failures = metrics.counter(
      'verona_blocks_sync_failures_total',
      'Looks at the blocks in the bucket that failed for all tenants or for one.',
    );
    this.#lastGood = metrics.gauge(
      'verona_blocks_last_successful_sync_timestamp_seconds',
      'When the last look at the bucket that went well for all tenants began, seconds since the Unix epoch.',
    );
  }

  /** A bucket that cannot be listed at the start is a warning: what is on this disk is served, and the next round tries again. */
  async start(): Promise<void> {
    await this.#deletedTenants.load();
    await this.#runRound();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer?.();
    await this.#round;
  }

  /** Tenants with blocks as of the last round. */
  get knownTenants(): readonly string[] {
    return this.#catalog.knownTenants.filter((tenant) => !this.isTenantDeleted(tenant));
  }

  /** The blocks of a tenant as of the last round; none of one whose deletion is marked. */
  blocksOf(tenant: string): readonly BucketBlock[] {
    return this.isTenantDeleted(tenant) ? [] : this.#catalog.blocks(tenant);
  }

  /** Whether a tenant's deletion is marked: nothing of it may be answered, kept or taken. */
  isTenantDeleted(tenant: string): boolean {
    return this.#deletedTenants.has(tenant);
  }

  /** Throws `forbidden` when it is. */
  checkTenant(tenant: string): void {
    this.#deletedTenants.check(tenant);
  }

  /** Marks a tenant for deletion. When this resolves nothing of it is answered or taken by this process any more. */
  async deleteTenant(ctx: BucketContext, tenant: string): Promise<void> {
    await this.#deletedTenants.mark(ctx, tenant);
    await this.#onTenantDeleted(tenant);
  }

  /** The deletions that answers from a tenant's blocks must follow: those that any of them was not rewritten for. */
  deletionsOf(tenant: string): readonly DeletionRequest[] {
    const [blocks, requests] = [this.blocksOf(tenant), this.#deletions.of(tenant)];
    const known = this.#needed.get(tenant);
    if (known?.blocks === blocks && known.requests === requests) return known.needed;
    const needed = requests.filter((request) => blocks.some(({ meta }) => needsDeletion(meta, request)));
    this.#needed.set(tenant, { blocks, requests, needed });
    return needed;
  }

  /** Why answers from a tenant's blocks may lack something, in a sentence; undefined when they do not. */
  problemOf(tenant: string): string | undefined {
    if (this.isTenantDeleted(tenant)) return undefined;
    return (
      this.#problems.get(tenant) ??
      this.#problems.get('') ??
      this.#staleness(tenant) ??
      this.#hiddenBlocks(tenant)
    );
  }

  /** A look that hangs tells of no failure. */
  #staleness(tenant: string): string | undefined {
    const seenMs = this.#seenMs.get(tenant);
    const ageMs = seenMs === undefined ? 0 : this.#clock.monotonic() - seenMs;
    if (ageMs <= Math.max(STALE_MS_MIN, STALE_INTERVALS * this.#intervalMs)) return undefined;
    return `blocks in the bucket were last looked at ${Math.floor(ageMs / 60_000)} minutes ago; answers may lack newer ones`;
  }

  /** Found once per listing: every query asks. */
  #hiddenBlocks(tenant: string): string | undefined {
    const view = this.#catalog.view(tenant);
    let known = this.#hidden.get(view);
    if (known === undefined) {
      known = { problem: hiddenProblem(view) };
      this.#hidden.set(view, known);
    }
    return known.problem;
  }

  /** Looks again now, for one tenant: after an upload, so that the local block may go. */
  async refresh(tenant: string): Promise<void> {
    const ctx = { signal: this.#stopping.signal };
    // In this order no block is shown before what is deleted of it is known.
    await this.#deletions.refresh(ctx, tenant);
    await this.#catalog.refresh(ctx, tenant);
  }

  #schedule(): void {
    this.#cancelTimer = this.#clock.after(this.#intervalMs, () => {
      this.#round = this.#runRound();
      this.#round.then(() => this.#schedule());
    });
  }

  /** Looks at everything again now. Never rejects: what goes wrong is noted. */
  lookAgain(): Promise<void> {
    return this.#runRound();
  }

  async #runRound(): Promise<void> {
    const ctx = { signal: this.#stopping.signal };
    const [beganMs, beganWallMs] = [this.#clock.monotonic(), this.#clock.now()];
    const failedBefore = this.#failed;
    try {
      const tenants = await this.#catalog.tenants(ctx);
      await this.#refreshDeleted(ctx, tenants);
      const gate = new Gate(TENANTS_AT_ONCE);
      await Promise.all(
        tenants.map((tenant) => gate.run(ctx.signal, `look at ${tenant}`, () => this.#refreshOne(tenant))),
      );
      // Not before: until then blocks that only this round finds are missing, and nobody else says so.
      this.#problems.delete('');
      this.#seconds.observe((this.#clock.monotonic() - beganMs) / 1000);
      if (this.#failed === failedBefore) this.#lastGood.set(beganWallMs / 1000);
    } catch (error) {
      this.#note('', 'the bucket cannot be listed; blocks known so far are served', error);
    }
  }

  /** What a look at the tenants' folders showed in the last round counts as well. */
  async #refreshDeleted(ctx: BucketContext, tenants: readonly string[]): Promise<void> {
    const marked = tenants.filter((tenant) => this.#catalog.view(tenant).isTenantDeleted);
    await this.#deletedTenants.refresh(ctx, marked);
    for (const tenant of this.#deletedTenants.names) await this.#dropDeleted(tenant);
  }

  async #dropDeleted(tenant: string): Promise<void> {
    await this.#onTenantDeleted(tenant).catch((error: unknown) =>
      this.#note(tenant, 'data of a deleted tenant on this machine could not be removed yet', error),
    );
  }

  async #refreshOne(tenant: string): Promise<void> {
    const beganMs = this.#clock.monotonic();
    try {
      await this.refresh(tenant);
      this.#seenMs.set(tenant, beganMs);
      if (this.#catalog.view(tenant).isTenantDeleted && !this.isTenantDeleted(tenant)) {
        await this.#deletedTenants.note(tenant);
        await this.#dropDeleted(tenant);
      }
      if (this.isTenantDeleted(tenant)) return;
      this.#problems.delete(tenant);
      await this.#onListed(tenant, this.blocksOf(tenant));
      if (this.#index?.isDue(tenant))
        await this.#index.write({ signal: this.#stopping.signal }, tenant, this.#catalog.view(tenant).whole);
    } catch (error) {
      this.#note(tenant, 'blocks in the bucket cannot be listed; those known so far are served', error);
    }
  }

  /** The empty tenant stands for all. */
  #note(tenant: string, message: string, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#failed++;
    this.#failures.inc();
    const reason = messageOf(error);
    this.#problems.set(tenant, `${message}: ${reason}`);
    this.#log.warn(message, { ...(tenant && { tenant }), error: reason });
  }
}

/** Blocks that were set aside because they cannot be read: answers lack their data, and say so. */
function hiddenProblem({ whole, unfinished }: TenantBlocks): string | undefined {
  const hidden = [...whole, ...unfinished.filter(({ kind }) => kind === 'corrupted')].filter(
    ({ marks }) => marks.quarantine?.hidden && !marks.deletion,
  );
  return hidden.length > 0
    ? `${hidden.length} blocks in the bucket are set aside and cannot be read; answers lack their data (${hidden[0].ref.ulid} …)`
    : undefined;
}
