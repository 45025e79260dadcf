import { dirname } from 'node:path';
import { assert } from './assert.ts';
import type { Disk, DiskEntry, DiskFile, DiskLock, DiskStat, OpenMode } from './disk.ts';
import { type FileOperation, MemoryFileData } from './memory-file.ts';
import { SeededRandom } from './random.ts';

/** What goes wrong on purpose; change it at any time. */
export interface DiskFaults {
  /** Bytes that can still be written before ENOSPC; the write that crosses it is done in part. */
  bytesLeft: number;
  /** Free space is told as if there were no limit, as on a disk with a quota. */
  hidesLimit: boolean;
  /** Every change fails with EROFS. */
  readOnly: boolean;
  /** Asked before reads, writes and syncs; true makes that one fail with EIO. */
  fails: (operation: 'read' | 'write' | 'sync', path: string) => boolean;
}

interface Folder {
  readonly kind: 'folder';
}

interface FileNode {
  readonly kind: 'file';
  readonly data: MemoryFileData;
  modifiedMs: number;
}

type Node = Folder | FileNode;

/** A change of names that is not durable yet, as what to put where (`undefined`: remove). */
interface NameChange {
  readonly folders: readonly string[];
  readonly entries: readonly (readonly [string, Node | undefined])[];
}

const FOLDER: Folder = { kind: 'folder' };

/**
 * A disk in memory that forgets like a real one. Bytes written but not synced, and names changed in a folder that was not
 * synced, may be lost in a `crash`: names from the newest backwards (as journaling file systems do), bytes write by write,
 * in part or not at all.
 */
export class MemoryDisk implements Disk {
  readonly faults: DiskFaults = {
    bytesLeft: Number.POSITIVE_INFINITY,
    hidesLimit: false,
    readOnly: false,
    fails: () => false,
  };
  #nodes = new Map<string, Node>();
  #durable = new Map<string, Node>();
  #changes: NameChange[] = [];
  readonly #locks = new Set<string>();
  /** Files opened before the last crash are of no use. */
  #epoch = 0;
  #now = 1;

  constructor() {
    for (const path of ['/', '.']) {
      this.#nodes.set(path, FOLDER);
      this.#durable.set(path, FOLDER);
    }
  }

  /** The machine dies and comes back: what was not synced is lost as chance decides. Open files and locks are gone. */
  crash(seed: number): void {
    const random = new SeededRandom(seed);
    const kept = Math.floor(random.next() * (this.#changes.length + 1));
    for (const change of this.#changes.slice(0, kept)) apply(this.#durable, change);
    const files = new Set([...this.#durable.values()].filter((node) => node.kind === 'file'));
    for (const file of files) file.data.crash(random);
    this.#nodes = new Map(this.#durable);
    this.#changes = [];
    this.#locks.clear();
    this.#epoch++;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.openSync(path, mode);
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    const known = this.#nodes.get(path);
    if (known?.kind === 'folder') throw failure('EISDIR', path);
    if (known && mode === 'create') throw failure('EEXIST', path);
    if (!known && mode === 'read') throw failure('ENOENT', path);
    if (mode !== 'read') this.#checkWritable(path);
    const node: FileNode = known ?? { kind: 'file', data: new MemoryFileData(), modifiedMs: this.#now++ };
    if (!known) {
      this.#checkFolder(path);
      this.#change([dirname(path)], [[path, node]]);
    }
    const epoch = this.#epoch;
    return new MemoryFile(path, mode, node.data, (operation) => {
      if (epoch !== this.#epoch) throw failure('EBADF', path);
      return this.#begin(path, node, operation);
    });
  }

  async readFile(path: string): Promise<Uint8Array> {
    const file = this.openSync(path, 'read');
    const into = new Uint8Array(await file.size());
    await file.readAt(into, 0);
    return into;
  }

  async writeFileAtomic(path: string, data: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`;
    await this.remove(temporary);
    try {
      const file = this.openSync(temporary, 'create');
      await file.writeAt([data], 0);
      await file.sync();
      await this.rename(temporary, path);
    } catch (error) {
      if (this.#nodes.has(temporary)) this.#change([dirname(path)], [[temporary, undefined]]);
      throw error;
    }
    await this.syncDir(dirname(path));
  }

  async list(path: string): Promise<readonly DiskEntry[]> {
    const entries: DiskEntry[] = [];
    for (const [name, node] of this.#nodes)
      if (name !== path && dirname(name) === path)
        entries.push({ name: name.slice(name.lastIndexOf('/') + 1), isDirectory: node.kind === 'folder' });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    const node = this.#nodes.get(path);
    if (!node) return undefined;
    if (node.kind === 'folder') return { sizeBytes: 0, modifiedMs: 0, isDirectory: true };
    return { sizeBytes: node.data.size, modifiedMs: node.modifiedMs, isDirectory: false };
  }

  async makeDir(path: string): Promise<void> {
    if (this.#nodes.get(path)?.kind === 'file') throw failure('EEXIST', path);
    if (this.#nodes.has(path)) return;
    this.#checkWritable(path);
    await this.makeDir(dirname(path));
    this.#change([dirname(path)], [[path, FOLDER]]);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#checkWritable(to);
    if (!this.#nodes.has(from)) throw failure('ENOENT', from);
    this.#checkFolder(to);
    if (this.#nodes.get(to)?.kind === 'folder' && this.#inside(to).length > 1) throw failure('ENOTEMPTY', to);
    const moved = this.#inside(from);
    this.#change(
      [dirname(from), dirname(to)],
      [
        ...moved.map((path) => [path, undefined] as const),
        ...moved.map((path) => [to + path.slice(from.length), this.#nodes.get(path)] as const),
      ],
    );
  }

  async link(from: string, to: string): Promise<void> {
    this.#checkWritable(to);
    const node = this.#nodes.get(from);
    if (node?.kind !== 'file') throw failure('ENOENT', from);
    if (this.#nodes.has(to)) throw failure('EEXIST', to);
    this.#checkFolder(to);
    this.#change([dirname(to)], [[to, node]]);
  }

  async remove(path: string): Promise<void> {
    const gone = this.#inside(path);
    if (gone.length === 0) return;
    this.#checkWritable(path);
    this.#change(
      [dirname(path)],
      gone.map((name) => [name, undefined] as const),
    );
  }

  async removeEmptyDir(path: string): Promise<boolean> {
    if (this.#nodes.get(path)?.kind !== 'folder' || this.#inside(path).length > 1) return false;
    await this.remove(path);
    return true;
  }

  /** Everything up to the newest change in the folder becomes durable, as in a journal. */
  async syncDir(path: string): Promise<void> {
    if (this.#nodes.get(path)?.kind !== 'folder') throw failure('ENOENT', path);
    if (this.faults.fails('sync', path)) throw failure('EIO', path);
    const last = this.#changes.findLastIndex((change) => change.folders.includes(path));
    for (const change of this.#changes.splice(0, last + 1)) apply(this.#durable, change);
  }

  async lock(path: string): Promise<DiskLock> {
    this.#checkWritable(path);
    if (this.#locks.has(path))
      throw Object.assign(new Error(`lock ${path}: held by process 1`), { code: 'EBUSY' });
    this.#locks.add(path);
    return {
      release: async () => {
        this.#locks.delete(path);
      },
    };
  }

  async freeBytes(): Promise<number> {
    const { bytesLeft, hidesLimit } = this.faults;
    return hidesLimit ? Number.MAX_SAFE_INTEGER : Math.min(bytesLeft, Number.MAX_SAFE_INTEGER);
  }

  /** Checks faults before an operation; for a write, returns how many of its bytes may be written. */
  #begin(path: string, node: FileNode, operation: FileOperation): number {
    const { faults } = this;
    if (operation.kind === 'write' || operation.kind === 'truncate') this.#checkWritable(path);
    if (operation.kind === 'size') return 0;
    const asked = operation.kind === 'truncate' ? 'write' : operation.kind;
    if (faults.fails(asked, path)) throw failure('EIO', path);
    if (operation.kind !== 'write') return 0;
    node.modifiedMs = this.#now++;
    const allowed = Math.min(operation.bytes, faults.bytesLeft);
    faults.bytesLeft -= allowed;
    return allowed;
  }

  #change(folders: readonly string[], entries: NameChange['entries']): void {
    const change = { folders, entries };
    this.#changes.push(change);
    apply(this.#nodes, change);
  }

  /** The path and everything under it, when present. */
  #inside(path: string): string[] {
    return [...this.#nodes.keys()].filter((name) => name === path || name.startsWith(`${path}/`));
  }

  #checkWritable(path: string): void {
    if (this.faults.readOnly) throw failure('EROFS', path);
  }

  #checkFolder(path: string): void {
    if (this.#nodes.get(dirname(path))?.kind !== 'folder') throw failure('ENOENT', path);
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #mode: OpenMode;
  readonly #data: MemoryFileData;
  readonly #begin: (operation: FileOperation) => number;
  #closed = false;

  constructor(
    path: string,
    mode: OpenMode,
    data: MemoryFileData,
    begin: (operation: FileOperation) => number,
  ) {
    this.path = path;
    this.#mode = mode;
    this.#data = data;
    this.#begin = begin;
  }

  async size(): Promise<number> {
    this.#check();
    this.#begin({ kind: 'size' });
    return this.#data.size;
  }

  async readAt(into: Uint8Array, offset: number): Promise<number> {
    return this.readAtSync(into, offset);
  }

  readAtSync(into: Uint8Array, offset: number): number {
    this.#check();
    this.#begin({ kind: 'read' });
    return this.#data.read(into, offset);
  }

  async writeAt(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    this.#check();
    if (this.#mode === 'read') throw failure('EBADF', this.path);
    for (const buffer of buffers) {
      const allowed = this.#begin({ kind: 'write', bytes: buffer.length });
      assert(allowed >= 0, 'a fault never allows less than nothing');
      this.#data.write(buffer.subarray(0, allowed), offset);
      if (allowed < buffer.length) throw failure('ENOSPC', this.path);
      offset += buffer.length;
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#check();
    this.#begin({ kind: 'truncate' });
    this.#data.truncate(sizeBytes);
  }

  async sync(): Promise<void> {
    this.#check();
    this.#begin({ kind: 'sync' });
    this.#data.sync();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #check(): void {
    if (this.#closed) throw failure('EBADF', this.path);
  }
}

function apply(nodes: Map<string, Node>, change: NameChange): void {
  for (const [path, node] of change.entries) {
    if (node) nodes.set(path, node);
    else nodes.delete(path);
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
