import { expect, test } from 'vitest';
import { Matcher } from '../model/matcher.ts';
import type { SelectRequest } from '../storage/querier.ts';
import { ForeseenAsks } from './foreseen-asks.ts';
import type { HeadSlice } from './head/head-slice.ts';
import type { ReadyAnswer } from './head-ask.ts';
import { HeadServer } from './head-server.ts';
import { RemoteHead } from './remote-head.ts';

const ctx = { signal: new AbortController().signal };
const SERIES = 3;

/** Slices of series without chunks; `isLast` as the head says when it knows. */
function* slices(count: number): Generator<HeadSlice> {
  for (let i = 0; i < count; i++)
    yield {
      gathered: {
        seriesCount: SERIES,
        labelBytes: new Uint8Array(SERIES),
        labelOffsets: Uint32Array.from([0, 1, 2, 3]),
        chunkStarts: new Uint32Array(SERIES + 1),
        chunkMint: new Float64Array(),
        chunkMaxt: new Float64Array(),
        chunkEncoding: new Uint8Array(),
        chunkRef: new Float64Array(),
        chunkDataOffset: new Uint32Array(),
        chunkDataLength: new Uint32Array(),
        chunkData: new Uint8Array(),
      },
      deletions: new Map(),
      isLast: i === count - 1,
    };
}

function server(count: number): HeadServer {
  return new HeadServer({
    slices: () => slices(count),
    onlySlice: () => (count > 1 ? undefined : { slice: slices(count).next().value as HeadSlice | undefined }),
    labelNames: async () => ['a'],
    labelValues: async (name) => [`${name} 1`],
    labelsAtOnce: (name) => (name === 'many' ? undefined : [name === undefined ? 'a' : `${name} 1`]),
    exemplars: async () => [],
  });
}

function request(mint: number, maxt: number): SelectRequest {
  return { matchers: [new Matcher('=', 'a', 'b')], mint, maxt, sorted: false, hints: { func: 'rate' } };
}

/** How many series a select gives, and how often the head was asked. */
async function select(
  head: HeadServer,
  ready: readonly ReadyAnswer[],
  wanted: SelectRequest,
): Promise<{ series: number; asked: number }> {
  let asked = 0;
  const ask = async (message: unknown) => {
    asked++;
    return (await head.serve(message)).reply;
  };
  const remote = new RemoteHead(ask, async ({ gathered }) => gathered, ready);
  let series = 0;
  for await (const batch of remote.select(ctx, wanted)) series += batch.seriesCount;
  return { series, asked };
}

test('a query that comes again, at another time, has its select answered before it asks', async () => {
  const foreseen = new ForeseenAsks();
  for (const [slices, series] of [
    [1, SERIES],
    [0, 0],
  ]) {
    const first = server(slices);
    expect(await select(first, [], request(400, 1000))).toEqual({ series, asked: 1 });
    foreseen.learn('q', { start: 700, end: 1000 }, first.learned ?? []);
    const again = server(slices);
    const { ready } = again.foresee(foreseen.of('q', { start: 5700, end: 6000 }));
    expect(await select(again, ready, request(5400, 6000))).toEqual({ series, asked: 0 });
    expect(again.learned).toBeUndefined();
  }
});

test('a select other than the one foreseen is asked for, and both are foreseen then', async () => {
  const foreseen = new ForeseenAsks();
  const first = server(1);
  await select(first, [], request(400, 1000));
  foreseen.learn('q', { start: 700, end: 1000 }, first.learned ?? []);
  const again = server(1);
  const { ready } = again.foresee(foreseen.of('q', { start: 5700, end: 6000 }));
  expect(await select(again, ready, request(5401, 6000))).toEqual({ series: SERIES, asked: 1 });
  expect(again.learned?.map(({ mint }) => mint)).toEqual([5400, 5401]);
});

test('what takes more than one slice is not foreseen', async () => {
  const head = server(2);
  expect(await select(head, [], request(0, 1))).toEqual({ series: 2 * SERIES, asked: 2 });
  expect(head.learned).toEqual([]);
  const foreseen = new ForeseenAsks();
  const one = server(1);
  await select(one, [], request(0, 1));
  foreseen.learn('q', { start: 0, end: 1 }, one.learned ?? []);
  const grown = server(2);
  const { ready } = grown.foresee(foreseen.of('q', { start: 0, end: 1 }));
  expect(ready).toEqual([]);
  await select(grown, ready, request(0, 1));
  foreseen.learn('q', { start: 0, end: 1 }, grown.learned ?? ['unreached' as never]);
  expect(foreseen.of('q', { start: 0, end: 1 })).toEqual([]);
});

test('names and values of labels are foreseen, but not those of a label with many', async () => {
  const foreseen = new ForeseenAsks();
  const wanted = { matchers: [new Matcher('=', 'a', 'b')], mint: 0, maxt: 9, limit: 0 };
  const read = async (head: HeadServer, ready: readonly ReadyAnswer[]) => {
    let asked = 0;
    const ask = async (message: unknown) => {
      asked++;
      return structuredClone((await head.serve(message)).reply);
    };
    const remote = new RemoteHead(ask, async ({ gathered }) => gathered, ready);
    const found = [
      await remote.labelNames(ctx, wanted),
      await remote.labelValues(ctx, 'x', wanted),
      await remote.labelValues(ctx, 'many', wanted),
    ];
    return { found, asked };
  };
  const found = [['a'], ['x 1'], ['many 1']];
  const first = server(1);
  expect(await read(first, [])).toEqual({ found, asked: 3 });
  foreseen.learn('q', { start: 0, end: 9 }, first.learned ?? []);
  const again = server(1);
  expect(await read(again, again.foresee(foreseen.of('q', { start: 0, end: 9 })).ready)).toEqual({
    found,
    asked: 1,
  });
});
