import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = join(import.meta.dirname, '..', '.cache', 'debian');
const APT_TIMEOUT_MS = 240_000;
const POLL_MS = 200;

/**
 * Unpacks Debian packages into a folder of the ignored cache and returns its path. Nothing is installed and no
 * root is needed: package lists live in the cache too. Safe to call from several test processes at once.
 */
export async function unpackDebian(name: string, packages: readonly string[]): Promise<string> {
  const target = join(CACHE, name);
  if (await present(target)) return target;
  const staging = `${target}.${process.pid}.${Math.trunc(performance.now())}`;
  await mkdir(join(staging, 'debs'), { recursive: true });
  try {
    console.error(`fetching Debian packages for ${name}: ${packages.join(' ')}`);
    await download(packages, join(staging, 'debs'));
    for (const deb of await readdir(join(staging, 'debs')))
      await run('dpkg', ['-x', join(staging, 'debs', deb), join(staging, 'root')]);
    await rm(join(staging, 'debs'), { recursive: true });
    await rename(join(staging, 'root'), target).catch(async (error: unknown) => {
      if (!(await present(target))) throw error;
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `cannot get the Debian packages ${packages.join(', ')}: ${reason}\n` +
        'these tests run real programs from Debian; check that apt-get reaches a Debian 12 mirror',
      { cause },
    );
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return target;
}

/** The packages and everything they need that this machine lacks, as apt would install them. */
export async function withDependencies(packages: readonly string[]): Promise<string[]> {
  const simulate = async () =>
    run('apt-get', [...(await aptOptions()), 'install', '-s', '--no-install-recommends', ...packages]);
  const { stdout } = await simulate().catch(async () => {
    await updateLists();
    return simulate();
  });
  const needed = stdout.split('\n').filter((line) => line.startsWith('Inst '));
  return [...new Set([...packages, ...needed.map((line) => line.split(' ')[1])])];
}

async function download(packages: readonly string[], cwd: string): Promise<void> {
  const get = async () =>
    run('apt-get', [...(await aptOptions()), 'download', ...packages], { cwd, timeout: APT_TIMEOUT_MS });
  try {
    await get();
  } catch {
    await updateLists();
    await get();
  }
}

/** One process at a time; who finds another at it waits for what that one fetches. */
async function updateLists(): Promise<void> {
  const lock = join(CACHE, 'updating');
  await mkdir(CACHE, { recursive: true });
  const isFirst = await mkdir(lock).then(
    () => true,
    () => false,
  );
  if (!isFirst) {
    for (let waited = 0; waited < APT_TIMEOUT_MS && (await present(lock)); waited += POLL_MS)
      await setTimeout(POLL_MS);
    // A process that was killed leaves its lock.
    await rm(lock, { recursive: true, force: true });
    return;
  }
  try {
    await mkdir(join(CACHE, 'lists', 'partial'), { recursive: true });
    await mkdir(join(CACHE, 'apt', 'archives', 'partial'), { recursive: true });
    await run('apt-get', [...ownLists(), 'update'], { timeout: APT_TIMEOUT_MS });
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

async function aptOptions(): Promise<string[]> {
  return (await present(join(CACHE, 'lists'))) ? ownLists() : [];
}

function ownLists(): string[] {
  const option = (key: string, value: string) => ['-o', `${key}=${value}`];
  return [
    ...option('Dir::State::lists', join(CACHE, 'lists')),
    ...option('Dir::Cache', join(CACHE, 'apt')),
    ...option('Debug::NoLocking', '1'),
    ...option('APT::Sandbox::User', ''),
  ];
}

async function present(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
