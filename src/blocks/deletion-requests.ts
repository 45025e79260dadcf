import { VeronaError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge, Metrics } from '../platform/metrics.ts';
import type { Random } from '../platform/random.ts';
import { newUlid } from '../tsdb/block/ulid.ts';
import type { BucketBlock } from './block-catalog.ts';
import {
  DELETION_SIZE_BYTES_MAX,
  DELETIONS_FOLDER,
  type DeletionRequest,
  deletionId,
  deletionKey,
  encodeDeletionRequest,
  finishedId,
  finishedKey,
  needsDeletion,
  parseDeletionRequest,
} from './deletion-request.ts';
import { isCutOff } from './json-reader.ts';

export interface DeletionRequestsDeps {
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** What was read, and the object it was read from; -1 when this process wrote it. */
interface Known {
  readonly request: DeletionRequest;
  readonly modifiedMs: number;
}

/** A request is read anew for this long: it may be settled again within the same second, at the same length. */
const SETTLING_MS = 10 * 60_000;

/** Requests of one tenant that are waiting; a further one is refused until the compactor has worked some off. */
const REQUESTS_MAX = 1000;
/** Of a tenant's requests that are worked off so many are kept, the newest, for blocks that come late. */
export const FINISHED_REQUESTS_MAX = 1000;
const READS_AT_ONCE = 16;
const NONE: readonly DeletionRequest[] = [];

/**
 * The deletion requests of all tenants, as the bucket has them. A request holds from the moment it is stored: readers
 * leave out what it names of every block that was not rewritten for it. Once all were, it is marked as finished, and holds on
 * for blocks that were made before it and come later.
 */
export class DeletionRequests {
  readonly #deps: DeletionRequestsDeps;
  readonly #gauge: Gauge<'tenant'>;
  readonly #tenants = new Map<string, ReadonlyMap<string, Known>>();
  readonly #lists = new Map<string, readonly DeletionRequest[]>();
  /** Ids of requests that are worked off, by tenant. */
  readonly #finished = new Map<string, ReadonlySet<string>>();
  readonly #unreadable = new Set<string>();
  /** Uploads of requests that broke off, with the time of their objects. */
  readonly #cutOff = new Map<string, number>();
  readonly #unreadableCount: Gauge;

  constructor(deps: DeletionRequestsDeps) {
    this.#deps = deps;
    this.#gauge = deps.metrics.gauge(
      'verona_deletion_requests',
      'Deletions of series that blocks in the bucket are still to be rewritten for.',
      ['tenant'],
    );
    this.#unreadableCount = deps.metrics.gauge(
      'verona_deletion_requests_unreadable',
      'Files in folders of deletion requests that do not decode.',
    );
  }

  /** Those known, oldest first; the same array until something changes. */
  of(tenant: string): readonly DeletionRequest[] {
    return this.#lists.get(tenant) ?? NONE;
  }

  /** Of those known, the ones that every block was rewritten for. */
  finished(tenant: string): readonly DeletionRequest[] {
    return this.of(tenant).filter(({ id }) => this.#isFinished(tenant, id));
  }

  /** Looks again: one listing, and each new request is read once. A known one is forgotten only when it is surely gone. */
  async refresh(ctx: BucketContext, tenant: string): Promise<readonly DeletionRequest[]> {
    const listed = await this.#list(ctx, tenant);
    const ids = new Set([...listed.keys(), ...(this.#tenants.get(tenant)?.keys() ?? [])]);
    const gate = new Gate(READS_AT_ONCE);
    const read = await Promise.all(
      [...ids].sort().map(async (id) => {
        const modifiedMs = listed.get(id) ?? 0;
        const known = this.#tenants.get(tenant)?.get(id);
        const isSame = known?.modifiedMs === modifiedMs && this.#deps.clock.now() - modifiedMs > SETTLING_MS;
        const request = isSame
          ? known.request
          : await gate.run(ctx.signal, `read deletion request ${id}`, () =>
              this.#read(ctx, tenant, id, modifiedMs),
            );
        return { id, request, modifiedMs };
      }),
    );
    const found = new Map<string, Known>();
    for (const { id, request, modifiedMs } of read) if (request) found.set(id, { request, modifiedMs });
    // One that was added meanwhile is not lost.
    for (const [id, known] of this.#tenants.get(tenant) ?? []) if (!ids.has(id)) found.set(id, known);
    this.#set(tenant, found);
    this.#unreadableCount.set(this.#unreadable.size);
    return this.of(tenant);
  }

  /** Stores a request. When this resolves it holds, also after a crash. Throws `limit` when too many are waiting. */
  async add(
    ctx: BucketContext,
    tenant: string,
    wish: {
      readonly matcherSets: readonly (readonly Matcher[])[];
      readonly mint: number;
      readonly maxt: number;
    },
  ): Promise<DeletionRequest> {
    const { bucket, clock, random, log } = this.#deps;
    const waiting = this.#waiting(tenant);
    if (waiting >= REQUESTS_MAX)
      throw new VeronaError(
        'limit',
        `delete series: ${waiting} deletions of tenant ${tenant} are waiting already`,
      );
    const request: DeletionRequest = {
      id: newUlid(clock, random),
      timeMs: clock.now(),
      mint: wish.mint,
      maxt: wish.maxt,
      matcherSets: wish.matcherSets.map((set) => set.map(({ name, type, value }) => ({ name, type, value }))),
    };
    await bucket.upload(ctx, deletionKey(tenant, request.id), encodeDeletionRequest(request));
    this.#keep(tenant, request);
    log.info('series are deleted', { tenant, request: request.id, selectors: request.matcherSets.length });
    return request;
  }

  /** Notes that a head had left the samples out only by now: blocks cut until now may hold them. */
  async settle(ctx: BucketContext, tenant: string, request: DeletionRequest): Promise<void> {
    const settled = { ...request, timeMs: Math.max(request.timeMs, this.#deps.clock.now()) };
    await this.#deps.bucket.upload(ctx, deletionKey(tenant, request.id), encodeDeletionRequest(settled));
    this.#keep(tenant, settled);
  }

  /** Notes that no block needs a request. Only for the compactor, once `idleDeletions` names it. */
  async finish(ctx: BucketContext, tenant: string, id: string): Promise<void> {
    await this.#deps.bucket.upload(ctx, finishedKey(tenant, id), new TextEncoder().encode('{}\n'));
    this.#finished.set(tenant, new Set(this.#finished.get(tenant)).add(id));
    this.#gauge.set({ tenant }, this.#waiting(tenant));
  }

  /** Forgets a request for good. Only for the compactor, of finished ones that are too many. */
  async remove(ctx: BucketContext, tenant: string, id: string): Promise<void> {
    await this.#deps.bucket.delete(ctx, deletionKey(tenant, id));
    await this.#deps.bucket.delete(ctx, finishedKey(tenant, id));
    this.#set(tenant, new Map([...(this.#tenants.get(tenant) ?? [])].filter(([other]) => other !== id)));
  }

  /** Removes what uploads of requests left that broke off `minAgeMs` ago. Only for the compactor, after a refresh. */
  async removeLeftovers(ctx: BucketContext, tenant: string, minAgeMs: number): Promise<void> {
    const { bucket, clock } = this.#deps;
    for (const [key, modifiedMs] of [...this.#cutOff])
      if (key.startsWith(`${tenant}/${DELETIONS_FOLDER}/`) && clock.now() - modifiedMs >= minAgeMs) {
        await bucket.delete(ctx, key);
        this.#cutOff.delete(key);
        this.#unreadable.delete(key);
      }
  }

  /** When each listed request was stored, by id. */
  async #list(ctx: BucketContext, tenant: string): Promise<Map<string, number>> {
    const prefix = `${tenant}/${DELETIONS_FOLDER}/`;
    const listed = new Map<string, number>();
    const finished = new Set<string>();
    for await (const entry of this.#deps.bucket.list(ctx, prefix)) {
      if (entry.kind !== 'object') continue;
      const file = entry.key.slice(prefix.length);
      const [id, finishedOne] = [deletionId(file), finishedId(file)];
      if (id) listed.set(id, entry.modifiedMs);
      if (finishedOne) finished.add(finishedOne);
    }
    this.#finished.set(tenant, finished);
    return listed;
  }

  /** A file that never decoded is an upload that broke off: nobody was told that it holds. */
  async #read(
    ctx: BucketContext,
    tenant: string,
    id: string,
    modifiedMs: number,
  ): Promise<DeletionRequest | undefined> {
    const key = deletionKey(tenant, id);
    this.#unreadable.delete(key);
    this.#cutOff.delete(key);
    let data: Uint8Array | undefined;
    try {
      data = await this.#deps.bucket.get(ctx, key, DELETION_SIZE_BYTES_MAX);
      return parseDeletionRequest(data, key, id);
    } catch (error) {
      if (!(error instanceof VeronaError)) throw error;
      if (error.code === 'not_found') return undefined;
      if (error.code !== 'corrupt' && error.code !== 'too_large') throw error;
      this.#unreadable.add(key);
      if (data && isCutOff(data)) this.#cutOff.set(key, modifiedMs);
      this.#deps.log.warn('a deletion request cannot be read', { key, error: error.message });
      return this.#tenants.get(tenant)?.get(id)?.request;
    }
  }

  #keep(tenant: string, request: DeletionRequest): void {
    this.#set(tenant, new Map(this.#tenants.get(tenant)).set(request.id, { request, modifiedMs: -1 }));
  }

  #set(tenant: string, requests: ReadonlyMap<string, Known>): void {
    if (requests.size > 0) {
      this.#tenants.set(tenant, requests);
      this.#lists.set(
        tenant,
        [...requests.values()].map(({ request }) => request),
      );
    } else {
      this.#tenants.delete(tenant);
      this.#lists.delete(tenant);
    }
    this.#gauge.set({ tenant }, this.#waiting(tenant));
  }

  #waiting(tenant: string): number {
    const ids = [...(this.#tenants.get(tenant)?.keys() ?? [])];
    return ids.filter((id) => !this.#isFinished(tenant, id)).length;
  }

  #isFinished(tenant: string, id: string): boolean {
    return this.#finished.get(tenant)?.has(id) ?? false;
  }
}

/** Requests that no block needs and that are older than `minAgeMs`. `whole` are all blocks, also those marked for deletion. */
export function idleDeletions(
  requests: readonly DeletionRequest[],
  whole: readonly BucketBlock[],
  nowMs: number,
  minAgeMs: number,
): readonly DeletionRequest[] {
  return requests.filter(
    (request) =>
      nowMs - request.timeMs >= minAgeMs && !whole.some(({ meta }) => needsDeletion(meta, request)),
  );
}
