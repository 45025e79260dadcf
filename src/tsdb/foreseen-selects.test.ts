import { expect, test } from 'vitest';
import { Matcher } from '../model/matcher.ts';
import type { SelectRequest } from '../storage/querier.ts';
import { ForeseenSelects } from './foreseen-selects.ts';
import type { HeadSlice } from './head/head-slice.ts';
import { HeadServer, RemoteHead } from './remote-head.ts';

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
    labelNames: async () => [],
    labelValues: async () => [],
    exemplars: async () => [],
  });
}

function request(mint: number, maxt: number): SelectRequest {
  return { matchers: [new Matcher('=', 'a', 'b')], mint, maxt, sorted: false, hints: { func: 'rate' } };
}

/** How many series a select gives, and how often the head was asked. */
async function select(
  head: HeadServer,
  ready: Awaited<ReturnType<HeadServer['foresee']>>['ready'],
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
  const foreseen = new ForeseenSelects();
  const first = server(1);
  expect(await select(first, [], request(400, 1000))).toEqual({ series: SERIES, asked: 1 });
  foreseen.learn('q', { start: 700, end: 1000 }, first.smallSelects);
  const again = server(1);
  const { ready, transfer } = await again.foresee(foreseen.of('q', { start: 5700, end: 6000 }));
  expect(transfer.length).toBeGreaterThan(0);
  expect(await select(again, ready, request(5400, 6000))).toEqual({ series: SERIES, asked: 0 });
});

test('a select other than the one foreseen is asked for', async () => {
  const foreseen = new ForeseenSelects();
  const first = server(1);
  await select(first, [], request(400, 1000));
  foreseen.learn('q', { start: 700, end: 1000 }, first.smallSelects);
  const again = server(1);
  const { ready } = await again.foresee(foreseen.of('q', { start: 5700, end: 6000 }));
  expect(await select(again, ready, request(5401, 6000))).toEqual({ series: SERIES, asked: 1 });
});

test('what takes more than one slice is not foreseen', async () => {
  const head = server(2);
  expect(await select(head, [], request(0, 1))).toEqual({ series: 2 * SERIES, asked: 2 });
  expect(head.smallSelects).toEqual([]);
  const foreseen = new ForeseenSelects();
  const one = server(1);
  await select(one, [], request(0, 1));
  foreseen.learn('q', { start: 0, end: 1 }, one.smallSelects);
  const grown = server(2);
  expect((await grown.foresee(foreseen.of('q', { start: 0, end: 1 }))).ready).toEqual([]);
  foreseen.learn('q', { start: 0, end: 1 }, grown.smallSelects);
  expect(foreseen.of('q', { start: 0, end: 1 })).toEqual([]);
});
