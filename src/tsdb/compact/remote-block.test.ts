import { expect, test } from 'vitest';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { localChannel, type Thread } from '../../platform/threads.ts';
import { PageCache } from '../chunks/page-cache.ts';
import type { Db } from '../db.ts';
import { admitAll } from '../head/series-table.ts';
import { answer, floatSeries, HOUR, openDb, requestBody, T0, TestClock } from '../testdata/db-fixture.ts';
import { type BlockMaker, type BlockPlace, LocalBlockMaker } from './block-maker.ts';
import { serveBlocks, ThreadBlockMaker } from './remote-block.ts';

const SERIES = 600;

/** A block thread without a thread: its messages are cloned and moved as between threads. */
class TestThread implements Thread {
  readonly post: Thread['post'];
  readonly postSoon: Thread['post'];
  readonly onMessage: Thread['onMessage'];
  #onExit: (error: Error | undefined) => void = () => {};
  posted = 0;
  stopped = 0;

  constructor(maker: BlockMaker, dieAt = Number.POSITIVE_INFINITY) {
    const [here, there] = localChannel();
    serveBlocks(there, maker);
    this.onMessage = (handle) => here.onMessage(handle);
    this.post = (message, transfer) => {
      if (++this.posted >= dieAt) queueMicrotask(() => this.#onExit(new Error('out of memory')));
      else here.post(message, transfer);
    };
    this.postSoon = this.post;
  }

  onExit(handle: (error: Error | undefined) => void): void {
    this.#onExit = handle;
  }

  async stop(): Promise<void> {
    this.stopped++;
  }
}

async function openFilled(disk: MemoryDisk, blockMaker?: BlockMaker): Promise<Db> {
  const db = await openDb(disk, new TestClock(T0 + 4 * HOUR), blockMaker && { blockMaker });
  const samples = Array.from({ length: 9 }, (_, i): [number, number] => [T0 + (i * HOUR) / 2, i]);
  const series = Array.from({ length: SERIES }, (_, i) => floatSeries({ __name__: 'a', n: `${i}` }, samples));
  await db.write(requestBody(series), 1, admitAll);
  return db;
}

function maker(disk: MemoryDisk, thread: () => Thread, threadSeriesMin = SERIES): ThreadBlockMaker {
  return new ThreadBlockMaker(thread, new LocalBlockMaker(disk, new PageCache(1 << 20)), threadSeriesMin);
}

const localMaker = (disk: MemoryDisk) => new LocalBlockMaker(disk, new PageCache(1 << 20));

test('a block thread writes the block that would be written here', async () => {
  const here = new MemoryDisk();
  const there = new MemoryDisk();
  const threads: TestThread[] = [];
  const own = await openFilled(here);
  const other = await openFilled(
    there,
    maker(there, () => {
      threads.push(new TestThread(localMaker(there)));
      return threads.at(-1) as Thread;
    }),
  );
  for (const db of [own, other]) await db.flush();
  expect(threads.map(({ stopped }) => stopped)).toEqual([1, 1, 1]);
  expect(threads[0].posted).toBeGreaterThan(2);
  expect(other.blocks.map(({ block }) => block.meta.stats)).toEqual(
    own.blocks.map(({ block }) => block.meta.stats),
  );
  for (const [i, { block }] of own.blocks.entries())
    for (const file of ['index', 'chunks/000001'])
      expect(
        Buffer.compare(
          await here.readFile(`${block.dir}/${file}`),
          await there.readFile(`${other.blocks[i].block.dir}/${file}`),
        ),
      ).toBe(0);
  expect(await answer(other, 0, 2 * T0)).toEqual(await answer(own, 0, 2 * T0));
});

test('a head with few series is made into a block without a thread', async () => {
  const disk = new MemoryDisk();
  const none = () => {
    throw new Error('no thread is needed');
  };
  const db = await openFilled(disk, maker(disk, none, SERIES + 1));
  await db.maintain();
  expect(db.blocks.length).toBe(1);
});

test.each([1, 2, 3, 4])(
  'a thread that dies at message %i costs the block only, and the next one is made',
  async (at) => {
    const disk = new MemoryDisk();
    let dieAt = at;
    const db = await openFilled(
      disk,
      maker(disk, () => new TestThread(localMaker(disk), dieAt)),
    );
    const before = await answer(db, 0, 2 * T0);
    await expect(db.maintain()).rejects.toMatchObject({
      code: 'unavailable',
      message: 'block thread ended: out of memory',
    });
    expect(db.blocks).toEqual([]);
    expect((await disk.list('data')).filter(({ name }) => name.startsWith('0'))).toEqual([]);
    expect(await answer(db, 0, 2 * T0)).toEqual(before);
    dieAt = Number.POSITIVE_INFINITY;
    await db.maintain();
    expect(db.blocks.length).toBe(1);
    expect(await answer(db, 0, 2 * T0)).toEqual(before);
  },
);

test('a thread that cannot be started costs the block only, and the next one is made', async () => {
  const disk = new MemoryDisk();
  let fails = true;
  const db = await openFilled(
    disk,
    maker(disk, () => {
      if (fails) throw new Error('resource temporarily unavailable');
      return new TestThread(localMaker(disk));
    }),
  );
  await expect(db.maintain()).rejects.toThrow('start a block thread: resource temporarily unavailable');
  fails = false;
  await db.maintain();
  expect(db.blocks.length).toBe(1);
});

test('what fails in the thread is told as it would be here, and leaves nothing behind', async () => {
  const disk = new MemoryDisk();
  const failing = {
    begin: async (place: BlockPlace) => ({
      ...(await localMaker(disk).begin(place)),
      finish: () => Promise.reject(new Error('ENOSPC: no space left on device')),
    }),
  };
  const db = await openFilled(
    disk,
    maker(disk, () => new TestThread(failing)),
  );
  await expect(db.maintain()).rejects.toThrow('ENOSPC: no space left on device');
  expect((await disk.list('data')).filter(({ name }) => name.startsWith('0'))).toEqual([]);
});
