import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Disk, DiskEntry, DiskFile, DiskLock, DiskStat, OpenMode } from './disk.ts';
import { lockByFile } from './file-lock.ts';

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
  write: fs.constants.O_RDWR | fs.constants.O_CREAT,
};

const openFd = promisify(fs.open) as (path: string, flags: number, mode: number) => Promise<number>;
const readFd = promisify(fs.read);
const writevFd = promisify(fs.writev);
const truncateFd = promisify(fs.ftruncate);
const syncDataFd = promisify(fs.fdatasync);
const syncFd = promisify(fs.fsync);
const closeFd = promisify(fs.close);
const statFd = promisify(fs.fstat);

/** The machine's file system. */
export class NodeDisk implements Disk {
  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new NodeFile(path, await openFd(path, FLAGS[mode], 0o644));
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    return new NodeFile(path, fs.openSync(path, FLAGS[mode], 0o644));
  }

  async readFile(path: string): Promise<Uint8Array> {
    const data = await fs.promises.readFile(path);
    return new Uint8Array(data.buffer, data.byteOffset, data.length);
  }

  async writeFileAtomic(path: string, data: Uint8Array): Promise<void> {
    // Random, because threads share a pid and a pid comes back after a crash.
    const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
    try {
      const file = await this.open(temporary, 'create');
      try {
        await file.writeAt([data], 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await fs.promises.rename(temporary, path);
    } catch (error) {
      await this.remove(temporary);
      throw error;
    }
    await this.syncDir(dirname(path));
  }

  async list(path: string): Promise<readonly DiskEntry[]> {
    const entries = await fs.promises.readdir(path, { withFileTypes: true }).catch(absentIs([]));
    return entries
      .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    const stat = await fs.promises.stat(path).catch(absentIs(undefined));
    if (!stat) return undefined;
    return { sizeBytes: stat.size, modifiedMs: stat.mtimeMs, isDirectory: stat.isDirectory() };
  }

  async makeDir(path: string): Promise<void> {
    await fs.promises.mkdir(path, { recursive: true });
  }

  async rename(from: string, to: string): Promise<void> {
    await fs.promises.rename(from, to);
  }

  async link(from: string, to: string): Promise<void> {
    await fs.promises.link(from, to);
  }

  async remove(path: string): Promise<void> {
    await fs.promises.rm(path, { recursive: true, force: true });
  }

  async removeEmptyDir(path: string): Promise<boolean> {
    try {
      await fs.promises.rmdir(path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOENT') return false;
      throw error;
    }
  }

  async syncDir(path: string): Promise<void> {
    const fd = await openFd(path, fs.constants.O_RDONLY, 0);
    try {
      await syncFd(fd);
    } finally {
      await closeFd(fd);
    }
  }

  async lock(path: string): Promise<DiskLock> {
    return lockByFile(path);
  }

  async freeBytes(path: string): Promise<number> {
    const stat = await fs.promises.statfs(path);
    return stat.bavail * stat.bsize;
  }
}

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  #closed = false;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  async size(): Promise<number> {
    return (await statFd(this.#open())).size;
  }

  async readAt(into: Uint8Array, offset: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await readFd(this.#open(), into, done, into.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  readAtSync(into: Uint8Array, offset: number): number {
    let done = 0;
    while (done < into.length) {
      const bytesRead = fs.readSync(this.#open(), into, done, into.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async writeAt(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    let rest = buffers.filter((buffer) => buffer.length > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await writevFd(this.#open(), rest, offset);
      offset += bytesWritten;
      rest = skipBytes(rest, bytesWritten);
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    await truncateFd(this.#open(), sizeBytes);
  }

  async sync(): Promise<void> {
    await syncDataFd(this.#open());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await closeFd(this.#fd);
  }

  /** A closed descriptor's number may already belong to another file. */
  #open(): number {
    if (this.#closed) throw Object.assign(new Error(`EBADF: ${this.path} is closed`), { code: 'EBADF' });
    return this.#fd;
  }
}

function skipBytes(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let i = 0;
  while (i < buffers.length && count >= buffers[i].length) count -= buffers[i++].length;
  const rest = buffers.slice(i);
  if (count > 0) rest[0] = rest[0].subarray(count);
  return rest;
}

function absentIs<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value;
    throw error;
  };
}
