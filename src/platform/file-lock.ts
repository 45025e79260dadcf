import { readFileSync, readlinkSync } from 'node:fs';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { DiskLock } from './disk.ts';

/** How often a holder touches its file, and for how long an unknown holder must be silent before it counts as dead. */
const HEARTBEAT_MS = 2_000;
const SILENCE_MAX_MS = 12_000;
const ATTEMPTS_MAX = 10;

/** What stands in a lock file, as JSON. `space` tells whose process numbers `pid` belongs to. */
interface Holder {
  readonly pid: number;
  readonly started: string;
  readonly host: string;
  readonly space: string;
}

/**
 * An exclusive lock by a file that names its holder. Node has no flock(2), so death is found by looking: a holder
 * among our own processes is dead when its process (number and start time) is gone; any other (another container or
 * machine on the same volume) is dead when it has not touched the file for `SILENCE_MAX_MS`. A Prometheus that runs on the
 * folder locks the file by flock(2), which the kernel lists in /proc/locks.
 */
export async function lockByFile(path: string): Promise<DiskLock> {
  const own: Holder = { pid: process.pid, started: startOf(process.pid), host: hostname(), space: space() };
  const text = `${JSON.stringify(own)}\n`;
  const draft = `${path}.${own.pid}-${Math.random().toString(36).slice(2)}`;
  await writeFile(draft, text);
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (await linkNew(draft, path)) return holdLock(path, text);
      await removeIfDead(path, own);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw held(path, 'a process that keeps changing');
}

function holdLock(path: string, text: string): DiskLock {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {
      // The folder may be gone or read-only; the next beat tries again.
    });
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    release: async () => {
      clearInterval(beat);
      if ((await readText(path)) === text) await rm(path, { force: true });
    },
  };
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Returns when the file may be tried again; throws when its holder lives. */
async function removeIfDead(path: string, own: Holder): Promise<void> {
  const text = await readText(path);
  if (text === undefined) return;
  const holder = parseHolder(text);
  if (holder && holder.host === own.host && holder.space === own.space) {
    if (startOf(holder.pid) === holder.started && holder.started !== '')
      throw held(path, `process ${holder.pid}`);
  } else if (holder && !(await isSilent(path))) throw held(path, `process ${holder.pid} on ${holder.host}`);
  const other = await flockHolder(path);
  if (other !== undefined) throw held(path, `process ${other}`);
  // Moved aside first: of two who found the same dead holder one gets it, and a lock taken meanwhile is put back.
  const aside = `${path}.dead-${own.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readText(aside)) !== text) await linkNew(aside, path);
  await rm(aside, { force: true });
}

/** The process that has locked the file by flock(2), as far as the kernel tells; undefined when there is none. */
async function flockHolder(path: string): Promise<string | undefined> {
  const locks = await readText('/proc/locks').catch(() => undefined);
  const info = await stat(path).catch(() => undefined);
  if (locks === undefined || info === undefined) return undefined;
  // 1: FLOCK  ADVISORY  WRITE 4711 fe:00:5343205 0 EOF
  for (const line of locks.split('\n')) {
    const [, kind, , , pid, file = ''] = line.split(/\s+/);
    if (kind === 'FLOCK' && isSameFile(file, info)) return pid;
  }
  return undefined;
}

/** Major and minor number of the device in hexadecimal, and the inode. */
function isSameFile(file: string, { dev, ino }: { readonly dev: number; readonly ino: number }): boolean {
  const [major, minor, inode] = file.split(':');
  if (Number(inode) !== ino) return false;
  const ownMajor = (dev >>> 8) & 0xfff;
  // Layered file systems, whose major is 0, give another device here than there.
  if (ownMajor === 0 || major === '00') return true;
  const ownMinor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  return Number.parseInt(major, 16) === ownMajor && Number.parseInt(minor, 16) === ownMinor;
}

async function isSilent(path: string): Promise<boolean> {
  const before = await touched(path);
  if (before === undefined) return true;
  await wait(SILENCE_MAX_MS);
  return (await touched(path)) === before;
}

async function touched(path: string): Promise<number | undefined> {
  return stat(path).then(
    (info) => info.mtimeMs,
    () => undefined,
  );
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** `undefined` for anything else than our own text, e.g. the empty lock file that Prometheus leaves behind. */
function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    return typeof holder.pid === 'number' && typeof holder.host === 'string' ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Start time of a process in clock ticks since boot, with the boot's identity; empty when there is no such process. */
function startOf(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    if (fields[0] === 'Z') return '';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
  } catch {
    return isAlive(pid) ? 'unknown' : '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function space(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function held(path: string, by: string): Error {
  return Object.assign(new Error(`lock ${path}: held by ${by}`), { code: 'EBUSY' });
}
