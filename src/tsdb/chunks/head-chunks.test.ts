import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { SeededRandom } from '../../platform/random.ts';
import { type HeadChunk, refSequence } from './chunk-format.ts';
import { ChunkReader } from './chunk-reader.ts';
import { HeadChunkWriter, scanHeadChunks, setAsideHeadFiles } from './head-chunks.ts';
import { CACHE_PAGE_BYTES, PageCache } from './page-cache.ts';

const disk = new NodeDisk();
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'verona-chunks-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

function someChunk(i: number, random: SeededRandom): HeadChunk {
  const data = random.bytes(1 + Math.floor(random.next() ** 4 * 40_000));
  return {
    seriesRef: i + 1,
    mint: i * 1000 - 5,
    maxt: i * 1000 + 500,
    encoding: 1 + (i % 3),
    isOutOfOrder: i % 7 === 0,
    data,
  };
}

async function writeSome(count: number): Promise<Map<number, HeadChunk>> {
  const random = new SeededRandom(count);
  const writer = await HeadChunkWriter.open(disk, dir);
  const chunks = new Map<number, HeadChunk>();
  for (let i = 0; i < count; i++) {
    if (i === Math.floor(count / 2)) writer.cut();
    const chunk = someChunk(i, random);
    const ref = writer.add(chunk);
    chunks.set(ref, chunk);
    expect(writer.readPending(ref)).toMatchObject({ seriesRef: i + 1, mint: chunk.mint, data: chunk.data });
    if (i % 50 === 0) await writer.flush();
  }
  await writer.close();
  return chunks;
}

test('chunks are read back by ref in any order, with their metadata by a scan', async () => {
  const chunks = await writeSome(500);
  const scanned = new Map<number, HeadChunk>();
  expect(
    await scanHeadChunks(disk, dir, (ref, { end: _, ...chunk }: HeadChunk & { end?: number }) =>
      scanned.set(ref, { ...chunk, data: chunk.data.slice() }),
    ),
  ).toEqual([]);
  expect(scanned).toEqual(chunks);
  const reader = new ChunkReader(disk, dir, 'head', new PageCache(10 * CACHE_PAGE_BYTES));
  const refs = [...chunks.keys()].sort((a, b) => (a % 97) - (b % 97));
  let seen = 0;
  await reader.readAll(refs, (i, chunk) => {
    seen++;
    expect(Buffer.compare(chunk.data, chunks.get(refs[i])!.data)).toBe(0);
    expect(chunk.encoding).toBe(chunks.get(refs[i])!.encoding);
  });
  expect(seen).toBe(500);
  await reader.close();
});

test('a chunk written after its page was cached is read', async () => {
  const writer = await HeadChunkWriter.open(disk, dir);
  const reader = new ChunkReader(disk, dir, 'head', new PageCache(CACHE_PAGE_BYTES));
  for (let i = 0; i < 20; i++) {
    const ref = writer.add(someChunk(i, new SeededRandom(i)));
    expect(writer.isWritten(ref)).toBe(false);
    await writer.flush();
    expect(writer.isWritten(ref)).toBe(true);
    expect(reader.read(ref).data.length).toBeGreaterThan(0);
  }
  await writer.close();
  await reader.close();
});

test('damage ends the scan at its offset, and the file is set aside with all later ones', async () => {
  const chunks = await writeSome(100);
  const [first] = await disk.list(dir);
  const bytes = Uint8Array.from(await disk.readFile(`${dir}/${first.name}`));
  bytes[bytes.length >> 1] ^= 4;
  await disk.writeFileAtomic(`${dir}/${first.name}`, bytes);
  const refs: number[] = [];
  const damages = await scanHeadChunks(disk, dir, (ref) => refs.push(ref));
  expect(damages).toHaveLength(1);
  expect(damages[0].reason).toContain('000001');
  expect(refs).toEqual([...chunks.keys()].slice(0, refs.length));
  await setAsideHeadFiles(disk, dir, damages[0]);
  expect((await disk.list(dir)).map(({ name }) => name)).toEqual(['000001.corrupt']);
});

test('mutated files scan to known chunks or end with a damage', async () => {
  const chunks = await writeSome(20);
  const path = `${dir}/000001`;
  const clean = await disk.readFile(path);
  const random = new SeededRandom(3);
  for (let round = 0; round < 300; round++) {
    const bytes = Uint8Array.from(clean).subarray(
      0,
      Math.floor(clean.length * Math.min(1, 0.3 + random.next())),
    );
    for (let i = 0; i < 2; i++)
      bytes[Math.floor(random.next() * bytes.length)] = Math.floor(random.next() * 256);
    await disk.writeFileAtomic(path, bytes);
    await scanHeadChunks(disk, dir, (ref, chunk) => expect(chunk.seriesRef).toBe(chunks.get(ref)?.seriesRef));
  }
});

test('no later file outlives a crash that an earlier one does not, whether it was left behind or could not be synced', async () => {
  for (const isLeft of [true, false])
    for (let seed = 0; seed < 30; seed++) {
      const memory = new MemoryDisk();
      await memory.makeDir('/c');
      await memory.syncDir('/');
      const random = new SeededRandom(seed);
      let writer = await HeadChunkWriter.open(memory, '/c');
      writer.add(someChunk(0, random));
      await writer.flush();
      memory.faults.fails = (operation) => operation === 'sync';
      if (isLeft) await expect(HeadChunkWriter.open(memory, '/c')).rejects.toThrow(/EIO/);
      else {
        writer.cut();
        writer.add(someChunk(1, random));
        await expect(writer.flush()).rejects.toThrow(/EIO/);
        await expect(writer.flush()).rejects.toThrow(/EIO/);
      }
      if (seed % 2 === 0) {
        memory.faults.fails = () => false;
        if (isLeft) {
          writer = await HeadChunkWriter.open(memory, '/c');
          writer.add(someChunk(1, random));
        }
        await writer.flush();
      }
      memory.crash(seed);
      const sequences = new Set<number>();
      await scanHeadChunks(memory, '/c', (ref) => sequences.add(refSequence(ref)));
      if (sequences.has(2)) expect(sequences).toContain(1);
    }
});
