/** How a file is opened. `read`: must exist. `create`: new, fails if it exists. `write`: made if absent, kept if present. */
export type OpenMode = 'read' | 'create' | 'write';

/** An open file. Whoever opens it closes it. Offsets and sizes are bytes. Errors are Node's (`code` ENOSPC, EROFS …). */
export interface DiskFile {
  readonly path: string;
  size(): Promise<number>;
  /** Reads into the whole of `into` from `offset`; returns the bytes read, fewer only at the end of the file. */
  readAt(into: Uint8Array, offset: number): Promise<number>;
  /** As `readAt`, on this thread. For reads that are normally in the page cache. */
  readAtSync(into: Uint8Array, offset: number): number;
  /** Writes all of `buffers`, in order, at `offset`. After a failure an unknown part may have been written. */
  writeAt(buffers: readonly Uint8Array[], offset: number): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  /** Resolves when data and size are on stable storage. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface DiskEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface DiskStat {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly isDirectory: boolean;
}

/** Held until released; a process that dies releases it. */
export interface DiskLock {
  release(): Promise<void>;
}

/** The file system as the rest of the house sees it. Paths are absolute or relative to the process, `/` separated. */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  openSync(path: string, mode: OpenMode): DiskFile;
  readFile(path: string): Promise<Uint8Array>;
  /** Replaces `path` by `data` so that a crash leaves the old or the new content: temporary file, sync, rename, sync of the folder. */
  writeFileAtomic(path: string, data: Uint8Array): Promise<void>;
  /** Entries sorted by name; empty when the folder does not exist. */
  list(path: string): Promise<readonly DiskEntry[]>;
  /** `undefined` when nothing is there. */
  stat(path: string): Promise<DiskStat | undefined>;
  /** Makes a folder and its parents; present ones are fine. */
  makeDir(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name; fails with EEXIST when `to` is there. */
  link(from: string, to: string): Promise<void>;
  /** Removes a file or a whole folder; absent is fine. */
  remove(path: string): Promise<void>;
  /** Removes a folder if it is empty; false when it is not, or absent. */
  removeEmptyDir(path: string): Promise<boolean>;
  /** Makes names created, renamed or removed in a folder durable. */
  syncDir(path: string): Promise<void>;
  /** Takes an exclusive lock by file; fails with an error naming the holder when another process has it. */
  lock(path: string): Promise<DiskLock>;
  freeBytes(path: string): Promise<number>;
}
