import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blockRef } from '../blocks/layout.ts';
import { FilesystemBucket } from '../objstore/filesystem-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import { downloadBlock } from './download.ts';
import { CTX, TENANT } from './testdata/kit.ts';

const ULID = '01HF0000000000000000000001';
const ref = blockRef(TENANT, ULID);

test('a bucket in a folder of this disk is read without a copy, and of another disk with one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'verona-download-'));
  try {
    const deps = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
    const bucket = new FilesystemBucket(join(dir, 'bucket'), deps);
    const meta = { ulid: ULID, version: 1, minTime: 0, maxTime: 1, stats: {}, compaction: { level: 1 } };
    const files = { 'meta.json': JSON.stringify(meta), index: 'index', 'chunks/000001': 'chunks' };
    for (const [name, text] of Object.entries(files))
      await bucket.upload(CTX, `${ref.folder}/${name}`, Buffer.from(text));
    const sizes = new Map(Object.entries(files).map(([name, text]) => [name, text.length]));
    await downloadBlock(CTX, bucket, deps.disk, { ref, sizes }, join(dir, 'job'));
    expect(statSync(join(dir, 'job/index')).nlink).toBe(2);
    expect(readFileSync(join(dir, 'job/chunks/000001'), 'utf8')).toBe('chunks');
    // A disk in memory is another one, though its paths are the same.
    const other = new MemoryDisk();
    await downloadBlock(CTX, bucket, other, { ref, sizes }, 'job');
    expect(Buffer.from(await other.readFile('job/index')).toString()).toBe('index');
    // A listing that told another size is damage, however the file comes.
    const wrong = new Map([...sizes, ['index', 6]]);
    await expect(
      downloadBlock(CTX, bucket, deps.disk, { ref, sizes: wrong }, join(dir, 'again')),
    ).rejects.toMatchObject({ code: 'corrupt', ulid: ULID });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
