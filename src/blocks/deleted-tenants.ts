import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import { JsonReader } from './json-reader.ts';
import { deletedTenants, readTenantDeletion, writeTenantDeletion } from './tenant-deletion.ts';

export interface DeletedTenantsDeps {
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the names known last are kept, for a start while the bucket is away; undefined: nowhere. */
  readonly memory?: { readonly disk: Disk; readonly path: string };
}

/**
 * The tenants whose deletion is marked in the bucket, as this process knows them: nothing of theirs is answered and nothing
 * is taken until the mark is gone. A process learns of marks that others set when it refreshes.
 */
export class DeletedTenants {
  readonly #deps: DeletedTenantsDeps;
  #names: ReadonlySet<string> = new Set();

  constructor(deps: DeletedTenantsDeps) {
    this.#deps = deps;
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  has(tenant: string): boolean {
    return this.#names.has(tenant);
  }

  /** Throws `forbidden` for a tenant whose deletion is marked. */
  check(tenant: string): void {
    if (!this.#names.has(tenant)) return;
    throw new VeronaError(
      'forbidden',
      `tenant ${tenant} is being deleted: nothing is taken until its deletion mark is gone from the bucket`,
    );
  }

  /** Takes what this process knew before, which holds until a refresh succeeds. A file that does not decode is a warning. */
  async load(): Promise<void> {
    const { memory, log } = this.#deps;
    if (!memory || !(await memory.disk.stat(memory.path))) return;
    try {
      this.#names = new Set(decode(await memory.disk.readFile(memory.path), memory.path));
    } catch (error) {
      log.warn('the list of deleted tenants cannot be read; the bucket is asked', { error: String(error) });
    }
  }

  /** Looks into the bucket. Those of `tenants` are marked in their own folder, as a listing showed. When the bucket fails what is known stays. */
  async refresh(ctx: BucketContext, tenants: readonly string[] = []): Promise<void> {
    await this.#become(new Set([...(await deletedTenants(ctx, this.#deps.bucket)), ...tenants]));
  }

  /** Marks a tenant, durable when it resolves; one that is marked keeps its mark, unless that does not decode. */
  async mark(ctx: BucketContext, tenant: string): Promise<void> {
    const { bucket, clock, log } = this.#deps;
    if (!(await this.#isMarked(ctx, tenant))) {
      await writeTenantDeletion(ctx, bucket, tenant, { requestedMs: clock.now(), finishedMs: undefined });
      log.info('a tenant is marked for deletion', { tenant });
    }
    await this.note(tenant);
  }

  async #isMarked(ctx: BucketContext, tenant: string): Promise<boolean> {
    try {
      return (await readTenantDeletion(ctx, this.#deps.bucket, tenant)) !== undefined;
    } catch (error) {
      if (error instanceof VeronaError && error.code === 'corrupt') return false;
      throw error;
    }
  }

  /** A mark of a tenant was seen. */
  note(tenant: string): Promise<void> {
    return this.#become(new Set([...this.#names, tenant]));
  }

  async #become(names: ReadonlySet<string>): Promise<void> {
    const isSame = names.size === this.#names.size && [...names].every((name) => this.#names.has(name));
    if (isSame) return;
    this.#names = names;
    const { memory, log } = this.#deps;
    if (!memory) return;
    // Only a start while the bucket is away needs it.
    await memory.disk.writeFileAtomic(memory.path, encode(names)).catch((error: unknown) => {
      log.warn('the list of deleted tenants was not written', { error: String(error) });
    });
  }
}

function encode(names: ReadonlySet<string>): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ version: 1, tenants: [...names].sort() })}\n`);
}

function decode(data: Uint8Array, path: string): string[] {
  const reader = new JsonReader(path);
  return reader.list(reader.document(data).tenants, 'tenants').map((name) => reader.text(name, 'tenant'));
}
