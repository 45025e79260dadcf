import type { DeletionRequest } from '../../blocks/deletion-request.ts';
import { compileMatchers } from '../../blocks/deletion-request.ts';
import type { DeletionRequests } from '../../blocks/deletion-requests.ts';
import type { BucketContext } from '../../objstore/bucket.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import type { Db } from '../../tsdb/db.ts';

export interface TenantDeletionsDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly deletions: DeletionRequests;
}

/**
 * In a tenant's folder: `{"version":1,"applied":[id …],"since":ms}`, the deletion requests that head and local blocks have
 * followed; those from before `since`, when there was nothing here, mean nothing that came later.
 */
const APPLIED_FILE = 'verona.deletions.json';

/** Follows a tenant's deletion requests in its head and local blocks, each once, also those that another process took. */
export class TenantDeletions {
  readonly #tenant: string;
  readonly #path: string;
  readonly #db: Db;
  readonly #deps: TenantDeletionsDeps;
  #applied: ReadonlySet<string>;
  /** ms. */
  readonly #since: number;
  #last: Promise<void> = Promise.resolve();

  private constructor(
    tenant: string,
    path: string,
    db: Db,
    deps: TenantDeletionsDeps,
    { applied, since }: Followed,
  ) {
    this.#tenant = tenant;
    this.#path = path;
    this.#db = db;
    this.#deps = deps;
    this.#applied = new Set(applied);
    this.#since = since;
  }

  /** Without a file that can be read, requests are followed again. */
  static async open(
    { tenant, dir }: { readonly tenant: string; readonly dir: string },
    db: Db,
    deps: TenantDeletionsDeps,
  ): Promise<TenantDeletions> {
    const path = `${dir}/${APPLIED_FILE}`;
    if (await deps.disk.stat(path)) {
      const followed = parse(await deps.disk.readFile(path));
      if (!followed)
        deps.log.warn('the list of followed deletions cannot be read, they are followed again', { path });
      return new TenantDeletions(tenant, path, db, deps, followed ?? NOTHING);
    }
    const isNew = db.head.seriesCount === 0 && db.blocks.length === 0;
    const opened = new TenantDeletions(
      tenant,
      path,
      db,
      deps,
      isNew ? { applied: [], since: deps.clock.now() } : NOTHING,
    );
    // It is only for the next start; a disk that takes nothing keeps nobody from asking.
    if (isNew)
      await opened.#write().catch((error: unknown) => {
        deps.log.warn('it could not be noted since when a tenant is here', { path, error: String(error) });
      });
    return opened;
  }

  /** Follows every known request that was not yet; one call after the other. Rejects when one cannot be, to be tried again. */
  apply(ctx: BucketContext): Promise<void> {
    const run = () => this.#apply(ctx);
    const done = this.#last.then(run, run);
    this.#last = done.catch(() => {});
    return done;
  }

  async #apply(ctx: BucketContext): Promise<void> {
    const requests = this.#deps.deletions.of(this.#tenant);
    for (const request of requests)
      if (request.timeMs > this.#since && !this.#applied.has(request.id)) await this.#follow(ctx, request);
  }

  /** Blocks cut out of the head until it had followed may hold the samples; the request says so before it counts as followed. */
  async #follow(ctx: BucketContext, request: DeletionRequest): Promise<void> {
    for (const set of compileMatchers(request)) await this.#db.deleteSeries(set, request.mint, request.maxt);
    await this.#deps.deletions.settle(ctx, this.#tenant, request);
    const known = new Set(this.#deps.deletions.of(this.#tenant).map(({ id }) => id));
    this.#applied = new Set([...this.#applied, request.id].filter((id) => known.has(id)));
    await this.#write();
  }

  async #write(): Promise<void> {
    const text = JSON.stringify({ version: 1, applied: [...this.#applied].sort(), since: this.#since });
    await this.#deps.disk.writeFileAtomic(this.#path, new TextEncoder().encode(`${text}\n`));
  }
}

interface Followed {
  readonly applied: readonly string[];
  readonly since: number;
}

const NOTHING: Followed = { applied: [], since: Number.MIN_SAFE_INTEGER };

function parse(data: Uint8Array): Followed | undefined {
  try {
    const {
      version,
      applied,
      since = NOTHING.since,
    } = JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>;
    const isGood = version === 1 && Array.isArray(applied) && applied.every((id) => typeof id === 'string');
    return isGood && typeof since === 'number' ? { applied, since } : undefined;
  } catch {
    return undefined;
  }
}
