import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { testDisk } from './disk-acceptance.ts';
import { NodeDisk } from './node-disk.ts';

const made: string[] = [];

async function makeDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'verona-disk-'));
  made.push(dir);
  return dir;
}

afterAll(async () => {
  for (const dir of made) await rm(dir, { recursive: true, force: true });
});

testDisk(async () => ({ disk: new NodeDisk(), dir: await makeDir() }));

test('more buffers than one system call takes are all written', async () => {
  const disk = new NodeDisk();
  const file = await disk.open(join(await makeDir(), 'a'), 'create');
  await file.writeAt(
    Array.from({ length: 5000 }, (_, i) => Uint8Array.of(i & 255, i >> 8)),
    0,
  );
  const into = new Uint8Array(10_000);
  expect(await file.readAt(into, 0)).toBe(10_000);
  expect([into[9998], into[9999]]).toEqual([4999 & 255, 4999 >> 8]);
  await file.close();
});

test('the lock of a dead process is taken over, whatever its file says', async () => {
  const disk = new NodeDisk();
  const path = join(await makeDir(), 'lock');
  await writeFile(path, '');
  await (await disk.lock(path)).release();
  const first = await disk.lock(path);
  const own = JSON.parse(new TextDecoder().decode(await disk.readFile(path)));
  await first.release();
  await writeFile(path, JSON.stringify({ ...own, started: 'another boot' }));
  await utimes(path, 0, 0);
  await (await disk.lock(path)).release();
});

test('a file that another program has locked by flock is not taken', async () => {
  const disk = new NodeDisk();
  const path = join(await makeDir(), 'lock');
  await writeFile(path, '');
  const other = spawn('flock', ['--no-fork', path, 'sleep', '60']);
  try {
    await vi.waitFor(
      () => expect(readFileSync('/proc/locks', 'utf8')).toMatch(new RegExp(`FLOCK.* ${other.pid} `)),
      10_000,
    );
    await expect(disk.lock(path)).rejects.toThrow(`held by process ${other.pid}`);
    expect(await disk.list(dirname(path))).toHaveLength(1);
  } finally {
    other.kill();
    await new Promise((resolve) => other.once('exit', resolve));
  }
  await (await disk.lock(path)).release();
});
