import { checkSelective } from '../../blocks/deletion-request.ts';
import type { HeadMemory, HeadMemoryOptions } from '../../kernel/head-memory.ts';
import { VeronaError, wrapError } from '../../model/errors.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { BucketContext } from '../../objstore/bucket.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import type { Gauge, Metrics } from '../../platform/metrics.ts';
import type { Random } from '../../platform/random.ts';
import { settled } from '../../platform/settled.ts';
import type { TenantLimits } from '../../tenancy/limits.ts';
import { checkTenantId } from '../../tenancy/tenant-id.ts';
import type { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { Db } from '../../tsdb/db.ts';
import type { DbOptions } from '../../tsdb/db-options.ts';
import type { TenantDb, TenantStorage } from '../tenant-db.ts';
import { TenantDeletions } from './tenant-deletions.ts';
import { TenantShipper, type TenantShipperDeps } from './tenant-shipper.ts';

export interface TenantsOptions {
  /** Folder with one data directory per tenant. */
  readonly dir: string;
  readonly tenantsMax: number;
  readonly blockRangeMs: number;
  /** For tenants whose limits set no window of their own. */
  readonly outOfOrderWindowMs: number;
  /** Prometheus' features of these names, for all tenants. */
  readonly features: readonly ('st-storage' | 'created-timestamp-zero-ingestion')[];
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly wal: DbOptions['wal'];
}

export interface TenantsDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly limits: TenantLimits;
  readonly pageCache: PageCache;
  readonly newMemory: (options: HeadMemoryOptions) => HeadMemory;
  /** As in `DbOptions`. */
  readonly blockMaker?: DbOptions['blockMaker'];
  /** Undefined when there is no bucket. */
  readonly shipping: Omit<TenantShipperDeps, 'disk' | 'clock' | 'random' | 'log' | 'metrics'> | undefined;
}

export interface Tenant {
  readonly db: Db;
  readonly shipper: TenantShipper | undefined;
  /** Undefined when there is no bucket. */
  readonly deletions: TenantDeletions | undefined;
}

/** Folders of deleted tenants on their way out; no tenant's name has this character. */
const DROPPED_SUFFIX = '~deleted';

/** The tenants with storage in this process. */
export class Tenants implements TenantStorage {
  readonly name = 'tenants';
  readonly #options: TenantsOptions;
  readonly #deps: TenantsDeps;
  readonly #open = new Map<string, Tenant>();
  readonly #opening = new Map<string, Promise<Tenant>>();
  /** Tenants whose data could not be opened at the last try. */
  readonly #broken = new Map<string, Error>();
  readonly #count: Gauge;
  /** How many of the tenants on this disk were opened at the start, of how many. */
  readonly replay = { max: 0, current: 0 };
  readonly #stopping = new AbortController();
  readonly #dropping = new Map<string, Promise<void>>();

  constructor(options: TenantsOptions, deps: TenantsDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#count = deps.metrics.gauge('verona_tenants', 'Tenants with storage in this process.');
  }

  /** Opens every tenant that has a data directory, one after the other, reading its log back. */
  async start(): Promise<void> {
    const { disk, log } = this.#deps;
    await disk.makeDir(this.#options.dir);
    const names = (await disk.list(this.#options.dir))
      .filter((entry) => entry.isDirectory)
      .map((entry) => entry.name);
    this.replay.max = names.length;
    for (const [i, name] of names.entries()) {
      this.replay.current = i;
      if (name.endsWith(DROPPED_SUFFIX) || this.#isDeleted(name)) {
        await this.#removeFolder(name);
        continue;
      }
      if (!isTenantId(name)) {
        log.warn('a folder beside the tenants is left alone: its name is not a tenant’s', { folder: name });
        continue;
      }
      log.info('reading a tenant’s data', { tenant: name, number: i + 1, of: names.length });
      await this.#openTenant(name).catch((error: unknown) => this.#noteBroken(name, error));
    }
    this.replay.current = names.length;
    // One tenant must not keep the others down; but when none opens, the folder itself is the matter.
    const [first] = this.#broken.values();
    if (first !== undefined && this.#open.size === 0) throw first;
  }

  /** Why a tenant's data on this disk cannot be served, in a sentence; undefined when they can, or are not there. */
  problemOf(tenant: string): string | undefined {
    const error = this.#broken.get(tenant);
    if (error) return `data of this tenant on the local disk cannot be read: ${error.message}`;
    const unreadable = this.#open.get(tenant)?.db.unreadableBlocks ?? 0;
    return unreadable > 0
      ? `${unreadable} blocks on the local disk cannot be read; answers lack their data`
      : undefined;
  }

  #noteBroken(tenant: string, error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    this.#broken.set(tenant, reason);
    this.#deps.log.error(
      'a tenant’s data cannot be opened; the others go on, and the next write tries again',
      {
        tenant,
        error: reason.message,
      },
    );
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#opening.values());
    const closing = [...this.#open.values()].map(closeTenant);
    await settled(closing).finally(() => this.#open.clear());
  }

  /** The tenant's storage when it has one here. */
  find(tenant: string): Tenant | undefined {
    return this.#open.get(tenant);
  }

  get all(): ReadonlyMap<string, Tenant> {
    return this.#open;
  }

  async open(tenant: string): Promise<TenantDb> {
    this.#deps.shipping?.bucketSync.checkTenant(tenant);
    const { db } = await this.#openTenant(tenant);
    return {
      write: (body, version, decodedMax, policy) => db.write(body, version, policy, decodedMax),
      appender: (policy) => db.appender(policy),
      writeSeries: (policy, apply) => db.writeSeries(policy, apply),
    };
  }

  /**
   * Removes everything a tenant has on this disk, for good: its deletion is marked. Nothing of it is found from the first
   * moment on; writes under way fail. Absent is fine; another call removes what a failing disk left.
   */
  drop(tenant: string): Promise<void> {
    const known = this.#dropping.get(tenant);
    if (known) return known;
    const dropping = this.#drop(tenant).finally(() => this.#dropping.delete(tenant));
    this.#dropping.set(tenant, dropping);
    return dropping;
  }

  async #drop(tenant: string): Promise<void> {
    await this.#opening.get(tenant)?.catch(() => undefined);
    const found = this.#open.get(tenant);
    this.#open.delete(tenant);
    this.#broken.delete(tenant);
    this.#count.set(this.#open.size);
    if (found) await closeTenant(found);
    await this.#removeFolder(tenant);
  }

  #isDeleted(tenant: string): boolean {
    return this.#deps.shipping?.bucketSync.isTenantDeleted(tenant) ?? false;
  }

  /** Under its own name it is there as a whole or not at all, whenever the process dies. */
  async #removeFolder(name: string): Promise<void> {
    const { disk, log } = this.#deps;
    const { dir } = this.#options;
    const tenant = name.endsWith(DROPPED_SUFFIX) ? name.slice(0, -DROPPED_SUFFIX.length) : name;
    const dropped = `${dir}/${tenant}${DROPPED_SUFFIX}`;
    await disk.remove(dropped);
    if (name !== tenant || !(await disk.stat(`${dir}/${tenant}`))) return;
    await disk.rename(`${dir}/${tenant}`, dropped);
    await disk.syncDir(dir);
    await disk.remove(dropped);
    log.info('the data of a deleted tenant are removed from this disk', { tenant });
  }

  /** Puts the limits of tenants in force as they are now. A tenant whose disk does not let it keeps its own, which is told. */
  async applyLimits(): Promise<void> {
    for (const [tenant, { db }] of this.#open)
      await db
        .setLimits(this.#dbLimits(tenant) ?? {})
        .catch((error: unknown) =>
          this.#deps.log.error('new limits of a tenant are not in force', { tenant, error: String(error) }),
        );
  }

  /** Makes blocks of everything in memory and ships them: before a move, or for a test. Throws when one did not get there. */
  async flush(tenant: string): Promise<void> {
    const found = this.#open.get(tenant);
    if (!found) return;
    await found.db.flush();
    await found.shipper?.shipAll();
  }

  /**
   * Deletes samples of the series that match any of the sets between mint and maxt (ms, inclusive): in the head, in local
   * blocks and, by a request in the bucket, in all that was shipped. They are hidden for good when this resolves. Rejects
   * with `bad_data` for a set that all series would match.
   */
  async deleteSeries(
    ctx: BucketContext,
    tenant: string,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<void> {
    checkSelective(matcherSets);
    this.#deps.shipping?.bucketSync.checkTenant(tenant);
    const found = await this.#find(tenant);
    const { shipping } = this.#deps;
    if (shipping) {
      await shipping.deletions.add(ctx, tenant, { matcherSets, mint, maxt: this.#notYet(tenant, maxt) });
      await found?.deletions?.apply(ctx);
    } else for (const set of matcherSets) await found?.db.deleteSeries(set, mint, maxt);
  }

  /** Follows deletion requests that other processes took, or that this one could not follow before. */
  async applyDeletions(ctx: BucketContext, tenant: string): Promise<void> {
    await this.#open.get(tenant)?.deletions?.apply(ctx);
  }

  /** Deletions reach no further than samples can be by now, so that later ones are not meant. */
  #notYet(tenant: string, maxt: number): number {
    const { creationGracePeriod } = this.#deps.limits.of(tenant);
    return creationGracePeriod > 0 ? Math.min(maxt, this.#deps.clock.now() + creationGracePeriod) : maxt;
  }

  async #find(tenant: string): Promise<Tenant | undefined> {
    return this.#open.get(tenant) ?? (await this.#opening.get(tenant)?.catch(() => undefined));
  }

  /** Nobody waits: the next round of the bucket's listing tries again. */
  #followDeletions(tenant: string, { deletions }: Tenant): void {
    deletions?.apply({ signal: this.#stopping.signal }).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted)
        this.#deps.log.warn('deletions were not followed yet', { tenant, error: String(error) });
    });
  }

  async #openTenant(tenant: string): Promise<Tenant> {
    const open = this.#open.get(tenant);
    if (open) return open;
    let opening = this.#opening.get(tenant);
    if (!opening) {
      opening = this.#make(checkTenantId(tenant)).finally(() => this.#opening.delete(tenant));
      this.#opening.set(tenant, opening);
    }
    return opening;
  }

  async #make(tenant: string): Promise<Tenant> {
    if (this.#stopping.signal.aborted) throw new VeronaError('unavailable', 'the server is stopping');
    const { tenantsMax } = this.#options;
    if (this.#open.size + this.#opening.size >= tenantsMax)
      throw new VeronaError(
        'rate_limited',
        `${tenantsMax} tenants have storage here already (tsdb.max_tenants)`,
      );
    const dir = `${this.#options.dir}/${tenant}`;
    const log = this.#deps.log.child({ tenant });
    const { shipping } = this.#deps;
    let shipper: TenantShipper | undefined;
    let deletions: TenantDeletions | undefined;
    const db = await Db.open({
      ...this.#deps,
      log,
      dir,
      wal: this.#options.wal,
      limits: this.#dbLimits(tenant),
      hooks: {
        onBlock: () => shipper?.wake(),
        canDelete: (ulid) => shipping === undefined || (shipper?.isSafe(ulid) ?? false),
      },
    });
    try {
      if (shipping) {
        deletions = await TenantDeletions.open({ tenant, dir }, db, { ...this.#deps, ...shipping, log });
        shipper = await TenantShipper.start({ tenant, dir }, { ...this.#deps, ...shipping, log });
      }
    } catch (error) {
      // Its lock would keep everybody out, the next attempt here included.
      await db.close();
      throw wrapError(`open ${dir}`, error, 'unavailable');
    }
    const made = { db, shipper, deletions };
    this.#followDeletions(tenant, made);
    this.#open.set(tenant, made);
    this.#broken.delete(tenant);
    this.#count.set(this.#open.size);
    return made;
  }

  #dbLimits(tenant: string): DbOptions['limits'] {
    const limits = this.#deps.limits.of(tenant);
    const { blockRangeMs, outOfOrderWindowMs, retentionMs, retentionBytes, features } = this.#options;
    return {
      blockRangeMs,
      keepStartTimes: features.includes('st-storage'),
      ingestStartZeros: features.includes('created-timestamp-zero-ingestion'),
      retentionMs,
      retentionBytes,
      outOfOrderWindowMs: limits.outOfOrderTimeWindow || outOfOrderWindowMs,
      futureMs: limits.creationGracePeriod,
      exemplarsMax: limits.maxExemplars,
      requestBytesMax: limits.maxDecodedRequestSize,
    };
  }
}

async function closeTenant({ db, shipper }: Tenant): Promise<void> {
  await shipper?.stop();
  await db.close();
}

function isTenantId(name: string): boolean {
  try {
    return checkTenantId(name) === name;
  } catch {
    return false;
  }
}
