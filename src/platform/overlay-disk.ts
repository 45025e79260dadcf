import { dirname } from 'node:path';
import type { Disk, DiskEntry, DiskFile, DiskLock, DiskStat, OpenMode } from './disk.ts';
import { MemoryDisk } from './memory-disk.ts';

/**
 * Another disk that is only ever read: what is changed stays in memory and is forgotten with this. For looking at a folder
 * that belongs to somebody else, who may be at work in it; so `lock` keeps nobody out and always succeeds.
 */
export class OverlayDisk implements Disk {
  readonly #lower: Disk;
  readonly #upper = new MemoryDisk();
  /** What is no longer to be seen of the disk below; a folder with all that is in it. */
  readonly #gone = new Set<string>();

  constructor(lower: Disk) {
    this.#lower = lower;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (await this.#upper.stat(path)) return this.#upper.open(path, mode);
    if (mode === 'read') return this.#lower.open(this.#seen(path), mode);
    if (!(await this.stat(path))) return this.#make(path);
    if (mode === 'create') throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST' });
    return new CopiedOnWrite(await this.#lower.open(path, 'read'), () => this.#copyUp(path));
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    try {
      return this.#upper.openSync(path, mode === 'write' ? 'read' : mode);
    } catch {
      return this.#lower.openSync(this.#seen(path), 'read');
    }
  }

  async readFile(path: string): Promise<Uint8Array> {
    if (await this.#upper.stat(path)) return this.#upper.readFile(path);
    return this.#lower.readFile(this.#seen(path));
  }

  async writeFileAtomic(path: string, data: Uint8Array): Promise<void> {
    await this.#upper.makeDir(dirname(path));
    await this.#upper.writeFileAtomic(path, data);
  }

  async list(path: string): Promise<readonly DiskEntry[]> {
    const byName = new Map<string, DiskEntry>();
    if (!this.#isGone(path))
      for (const entry of await this.#lower.list(path))
        if (!this.#isGone(`${path}/${entry.name}`)) byName.set(entry.name, entry);
    for (const entry of await this.#upper.list(path)) byName.set(entry.name, entry);
    return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    return (await this.#upper.stat(path)) ?? (this.#isGone(path) ? undefined : this.#lower.stat(path));
  }

  makeDir(path: string): Promise<void> {
    return this.#upper.makeDir(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#copyTree(from, to);
    await this.remove(from);
  }

  async link(from: string, to: string): Promise<void> {
    if (await this.stat(to)) throw Object.assign(new Error(`EEXIST: ${to}`), { code: 'EEXIST' });
    await this.#copyTree(from, to);
  }

  async remove(path: string): Promise<void> {
    await this.#upper.remove(path);
    this.#gone.add(path);
  }

  async removeEmptyDir(path: string): Promise<boolean> {
    if (!(await this.stat(path)) || (await this.list(path)).length > 0) return false;
    await this.remove(path);
    return true;
  }

  async syncDir(): Promise<void> {}

  async lock(): Promise<DiskLock> {
    return { release: async () => {} };
  }

  freeBytes(path: string): Promise<number> {
    return this.#lower.freeBytes(path);
  }

  #isGone(path: string): boolean {
    for (let part = path; ; part = dirname(part)) {
      if (this.#gone.has(part)) return true;
      if (part === dirname(part)) return false;
    }
  }

  #seen(path: string): string {
    if (this.#isGone(path)) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    return path;
  }

  async #make(path: string): Promise<DiskFile> {
    await this.#upper.makeDir(dirname(path));
    return this.#upper.open(path, 'create');
  }

  async #copyUp(path: string): Promise<DiskFile> {
    await this.#copyTree(path, path);
    return this.#upper.open(path, 'write');
  }

  async #copyTree(from: string, to: string): Promise<void> {
    if (!(await this.stat(from))?.isDirectory) {
      const file = await this.readFile(from);
      await this.#upper.makeDir(dirname(to));
      return this.#upper.writeFileAtomic(to, file);
    }
    await this.#upper.makeDir(to);
    for (const { name } of await this.list(from)) await this.#copyTree(`${from}/${name}`, `${to}/${name}`);
  }
}

/** A file of the disk below until it is first changed. */
class CopiedOnWrite implements DiskFile {
  #file: DiskFile;
  #copy: (() => Promise<DiskFile>) | undefined;

  constructor(file: DiskFile, copy: () => Promise<DiskFile>) {
    this.#file = file;
    this.#copy = copy;
  }

  get path(): string {
    return this.#file.path;
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  readAt(into: Uint8Array, offset: number): Promise<number> {
    return this.#file.readAt(into, offset);
  }

  readAtSync(into: Uint8Array, offset: number): number {
    return this.#file.readAtSync(into, offset);
  }

  async writeAt(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    await (await this.#changed()).writeAt(buffers, offset);
  }

  async truncate(sizeBytes: number): Promise<void> {
    await (await this.#changed()).truncate(sizeBytes);
  }

  async sync(): Promise<void> {}

  close(): Promise<void> {
    return this.#file.close();
  }

  async #changed(): Promise<DiskFile> {
    const copy = this.#copy;
    if (copy === undefined) return this.#file;
    this.#copy = undefined;
    const before = this.#file;
    this.#file = await copy();
    await before.close();
    return this.#file;
  }
}
