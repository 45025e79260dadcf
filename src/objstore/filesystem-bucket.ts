import { VeronaError } from '../model/errors.ts';
import { compareStrings } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk, DiskFile } from '../platform/disk.ts';
import type { Random } from '../platform/random.ts';
import {
  assertKey,
  assertNotAborted,
  assertPrefix,
  assertRange,
  type Bucket,
  type BucketContext,
  GET_SIZE_BYTES_MAX,
  isKey,
  type ListEntry,
  type ListOptions,
  listOf,
  type ObjectAttributes,
  tooLarge,
  type UploadBody,
} from './bucket.ts';
import { diskError, writeError } from './disk-error.ts';

/** Unfinished uploads lie in this folder of the bucket; nothing in it is an object. */
const UPLOADS = '.uploads';
/** An upload older than this belongs to a process that died. */
const UPLOAD_AGE_MS_MAX = 24 * 3_600_000;
/** A deletion may take an empty folder away between its making and the rename into it; then it is made again. */
const PLACE_ATTEMPTS_MAX = 5;
const LIST_DEPTH_MAX = 64;
/** Another disk, one without links, a file of somebody else, too many links; or something went away meanwhile. */
const UNLINKED = new Set(['ENOENT', 'EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);
/** A folder that had an object in it is not looked into again for so long; and so many are remembered. */
const FOLDER_SEEN_MS = 15 * 60_000;
const FOLDERS_SEEN_MAX = 200_000;

export interface FilesystemDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * A bucket in a folder: the key is the path. An object appears by rename and is on stable storage when `upload`
 * resolves. As in any folder, `a` and `a/b` cannot both be objects (`conflict`). Several processes may share it. A folder that
 * something else than a bucket emptied, without removing it, is listed for some minutes more.
 */
export class FilesystemBucket implements Bucket {
  readonly name: string;
  readonly #root: string;
  readonly #deps: FilesystemDeps;
  /** Folders with an object in them, and when that was seen, by the monotonic clock. */
  readonly #seen = new Map<string, number>();
  #swept: Promise<void> | undefined;

  constructor(root: string, deps: FilesystemDeps) {
    this.#root = root;
    this.#deps = deps;
    this.name = `filesystem:${root}`;
  }

  async get(ctx: BucketContext, key: string, sizeBytesMax = GET_SIZE_BYTES_MAX): Promise<Uint8Array> {
    return this.#read(ctx, key, async (file) => {
      const sizeBytes = await file.size();
      if (sizeBytes > sizeBytesMax) throw tooLarge(`read ${key}`, sizeBytes, sizeBytesMax);
      return readUpTo(file, 0, sizeBytes);
    });
  }

  async getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    assertRange(key, offset, length);
    return this.#read(ctx, key, async (file) => {
      const available = Math.max(0, (await file.size()) - offset);
      return readUpTo(file, offset, Math.min(length, available));
    });
  }

  async link(ctx: BucketContext, key: string, path: string): Promise<boolean> {
    const what = `link ${key}`;
    if (!(await this.#stat(ctx, what, key))) throw new VeronaError('not_found', `${what}: no such object`);
    try {
      await this.#deps.disk.link(this.#path(key), path);
      return true;
    } catch (error) {
      if (UNLINKED.has((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw diskError(what, error);
    }
  }

  async upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    await this.#store(ctx, `upload ${key}`, key, body, (from, to) => this.#deps.disk.rename(from, to));
  }

  async create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    await this.#store(ctx, `create ${key}`, key, body, (from, to) => this.#deps.disk.link(from, to));
  }

  async exists(ctx: BucketContext, key: string): Promise<boolean> {
    return (await this.#stat(ctx, `look for ${key}`, key)) !== undefined;
  }

  async attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    const found = await this.#stat(ctx, `look at ${key}`, key);
    if (!found) throw new VeronaError('not_found', `look at ${key}: no such object`);
    return found;
  }

  async delete(ctx: BucketContext, key: string): Promise<void> {
    if (!(await this.#stat(ctx, `delete ${key}`, key))) return;
    await this.#guard(`delete ${key}`, async () => {
      await this.#deps.disk.remove(this.#path(key));
      await this.#removeEmptyFolders(parentOf(key));
    });
  }

  async *list(ctx: BucketContext, prefix: string, options: ListOptions = {}): AsyncGenerator<ListEntry> {
    assertPrefix(prefix);
    const after = options.startAfter ?? '';
    const entries = options.recursive ? this.#walk(ctx, prefix, after, 0) : this.#level(ctx, prefix);
    for await (const entry of entries) if (after === '' || compareStrings(entry.key, after) > 0) yield entry;
  }

  async close(): Promise<void> {}

  /** Objects of a folder and below, depth first, which is the order of keys when folders sort with their `/`. */
  async *#walk(ctx: BucketContext, prefix: string, after: string, depth: number): AsyncGenerator<ListEntry> {
    if (depth > LIST_DEPTH_MAX)
      throw new VeronaError('internal', `${listOf(prefix)}: more than ${LIST_DEPTH_MAX} folders deep`);
    const nowMs = this.#deps.clock.monotonic();
    const keys = await this.#names(ctx, prefix);
    this.#note(prefix, keys, nowMs);
    for (const key of keys) {
      if (!key.endsWith('/')) yield* this.#object(ctx, key);
      else if (after.startsWith(key) || compareStrings(key, after) > 0)
        yield* this.#walk(ctx, key, after, depth + 1);
    }
  }

  async *#level(ctx: BucketContext, prefix: string): AsyncGenerator<ListEntry> {
    for (const key of await this.#names(ctx, prefix)) {
      if (!key.endsWith('/')) yield* this.#object(ctx, key);
      else if (this.#wasSeen(key) || (await this.#holdsObject(ctx, key))) yield { kind: 'folder', key };
    }
  }

  /** Who deletes the last object of a folder removes it, so that one which is still there still has some. */
  #wasSeen(folder: string): boolean {
    const seenMs = this.#seen.get(folder);
    return seenMs !== undefined && this.#deps.clock.monotonic() - seenMs < FOLDER_SEEN_MS;
  }

  async *#object(ctx: BucketContext, key: string): AsyncGenerator<ListEntry> {
    const found = await this.#stat(ctx, `list ${key}`, key);
    if (found) yield { kind: 'object', key, ...found };
  }

  /** A folder with a file in it is not looked into any further: of 5,000 blocks a listing cost 0.9 s of CPU before. */
  async #holdsObject(ctx: BucketContext, folder: string, depth = 0): Promise<boolean> {
    const nowMs = this.#deps.clock.monotonic();
    const keys = await this.#names(ctx, folder);
    if (this.#note(folder, keys, nowMs)) return true;
    if (depth >= LIST_DEPTH_MAX)
      throw new VeronaError('internal', `${listOf(folder)}: more than ${LIST_DEPTH_MAX} folders deep`);
    for (const key of keys) if (await this.#holdsObject(ctx, key, depth + 1)) return true;
    return false;
  }

  /** Whether there are objects among a folder's entries, which is remembered. */
  #note(folder: string, keys: readonly string[], nowMs: number): boolean {
    if (keys.every((key) => key.endsWith('/'))) return false;
    if (this.#seen.size >= FOLDERS_SEEN_MAX) this.#seen.clear();
    this.#seen.set(folder, nowMs);
    return true;
  }

  /** Keys of a folder's entries, folders with `/`, in the order of keys; files that no key names are left out. */
  async #names(ctx: BucketContext, prefix: string): Promise<string[]> {
    assertNotAborted(ctx, listOf(prefix));
    const entries = await this.#guard(listOf(prefix), () =>
      this.#deps.disk.list(prefix === '' ? this.#root : this.#path(prefix.slice(0, -1))),
    );
    return entries
      .map(({ name, isDirectory }) => `${prefix}${name}${isDirectory ? '/' : ''}`)
      .filter((key) => key !== `${UPLOADS}/` && isKey(key.replace(/\/$/, '')))
      .sort(compareStrings);
  }

  async #stat(ctx: BucketContext, what: string, key: string): Promise<ObjectAttributes | undefined> {
    this.#assertUsable(key);
    assertNotAborted(ctx, what);
    const found = await this.#guard(what, async () => {
      try {
        return await this.#deps.disk.stat(this.#path(key));
      } catch (error) {
        if (diskError(what, error).code === 'not_found') return undefined;
        throw error;
      }
    });
    return found && !found.isDirectory
      ? { sizeBytes: found.sizeBytes, modifiedMs: Math.floor(found.modifiedMs) }
      : undefined;
  }

  async #read(
    ctx: BucketContext,
    key: string,
    read: (file: DiskFile) => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    this.#assertUsable(key);
    assertNotAborted(ctx, `read ${key}`);
    return this.#guard(`read ${key}`, async () => {
      const file = await this.#deps.disk.open(this.#path(key), 'read');
      try {
        const data = await read(file);
        assertNotAborted(ctx, `read ${key}`);
        return data;
      } finally {
        await file.close();
      }
    });
  }

  async #store(
    ctx: BucketContext,
    what: string,
    key: string,
    body: UploadBody,
    place: (from: string, to: string) => Promise<void>,
  ): Promise<void> {
    this.#assertUsable(key);
    assertNotAborted(ctx, what);
    const { disk, random } = this.#deps;
    const temporary = `${this.#root}/${UPLOADS}/${Buffer.from(random.bytes(12)).toString('hex')}`;
    try {
      await this.#sweepOnce();
      await disk.makeDir(`${this.#root}/${UPLOADS}`);
      await this.#write(ctx, what, temporary, body);
      await this.#place(key, (to) => place(temporary, to));
    } catch (error) {
      throw writeError(what, error);
    } finally {
      await disk.remove(temporary);
    }
  }

  async #write(ctx: BucketContext, what: string, path: string, body: UploadBody): Promise<void> {
    const file = await this.#deps.disk.open(path, 'create');
    try {
      let offset = 0;
      for await (const piece of body instanceof Uint8Array ? [body] : body) {
        assertNotAborted(ctx, what);
        await file.writeAt([piece], offset);
        offset += piece.length;
      }
      await file.sync();
      assertNotAborted(ctx, what);
    } finally {
      await file.close();
    }
  }

  async #place(key: string, place: (to: string) => Promise<void>): Promise<void> {
    let changed: readonly string[] = [];
    for (let attempt = 1; changed.length === 0; attempt++) {
      try {
        const folders = await this.#makeFolders(parentOf(key));
        await place(this.#path(key));
        changed = folders;
      } catch (error) {
        if (!isAbsent(error) || attempt === PLACE_ATTEMPTS_MAX) throw error;
      }
    }
    for (const folder of changed) await this.#syncFolder(folder);
  }

  /** A folder that is gone by now has nothing left to make durable. */
  async #syncFolder(path: string): Promise<void> {
    try {
      await this.#deps.disk.syncDir(path);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  /** Makes the folders of a key; returns those whose names must be made durable, innermost first. */
  async #makeFolders(folder: string): Promise<string[]> {
    const { disk } = this.#deps;
    const changed = [this.#path(folder)];
    for (let path = folder; path !== '' && !(await disk.stat(this.#path(path))); path = parentOf(path))
      changed.push(this.#path(parentOf(path)));
    await disk.makeDir(this.#path(folder));
    return changed;
  }

  async #removeEmptyFolders(folder: string): Promise<void> {
    // One that stays may hold nothing but what is no object.
    for (let path = folder; path !== ''; path = parentOf(path)) this.#seen.delete(`${path}/`);
    for (let path = folder; path !== ''; path = parentOf(path))
      if (!(await this.#deps.disk.removeEmptyDir(this.#path(path)))) return;
  }

  async #sweepOnce(): Promise<void> {
    this.#swept ??= this.#sweep();
    try {
      await this.#swept;
    } catch (error) {
      this.#swept = undefined;
      throw error;
    }
  }

  async #sweep(): Promise<void> {
    const { disk, clock } = this.#deps;
    const folder = `${this.#root}/${UPLOADS}`;
    for (const { name } of await disk.list(folder)) {
      const found = await disk.stat(`${folder}/${name}`);
      if (found && clock.now() - found.modifiedMs > UPLOAD_AGE_MS_MAX) await disk.remove(`${folder}/${name}`);
    }
  }

  #path(key: string): string {
    return key === '' ? this.#root : `${this.#root}/${key}`;
  }

  #assertUsable(key: string): void {
    assertKey(key);
    if (key === UPLOADS || key.startsWith(`${UPLOADS}/`))
      throw new VeronaError('bad_data', `object key ${JSON.stringify(key)} is reserved`);
  }

  async #guard<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw diskError(what, error);
    }
  }
}

async function readUpTo(file: DiskFile, offset: number, length: number): Promise<Uint8Array> {
  const data = new Uint8Array(length);
  const count = await file.readAt(data, offset);
  return count === length ? data : data.subarray(0, count);
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function parentOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')));
}
