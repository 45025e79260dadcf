import fc from 'fast-check';
import { expect, test } from 'vitest';
import { XorAppender } from '../../chunkenc/xor.ts';
import { decodeLabels, encodeLabels } from '../../encoding/label-bytes.ts';
import { compareLabels, Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { mergeQueriers } from '../../storage/merge.ts';
import { newTally } from '../../storage/named-querier.ts';
import type { Querier, SelectRequest, SourceTally } from '../../storage/querier.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { Block } from './block.ts';
import { type BlockChunk, BlockWriter } from './block-writer.ts';
import { BlocksQuerier, type BlocksSizes, KnownPairs } from './blocks-querier.ts';
import { addInterval, type Interval } from './tombstones.ts';

const ctx = { signal: new AbortController().signal };
const END = 1000;

/** Few samples, as in `samples`; each chunk from one time to another. */
interface GivenSeries {
  readonly labels: Labels;
  readonly chunks: readonly { readonly mint: number; readonly maxt: number; readonly v: number }[];
  readonly deleted: readonly Interval[];
}

let written = 0;

async function blockOf(disk: MemoryDisk, given: readonly GivenSeries[]): Promise<Block> {
  const ulid = String(written++).padStart(26, '0');
  const writer = await BlockWriter.create({ disk, dir: 'blocks', ulid, chunkFileBytesMax: 200 });
  const bySet = new Map(given.map((series) => [series.labels.key(), series]));
  const sorted = [...bySet.values()].sort((a, b) => compareLabels(a.labels, b.labels));
  for (const { labels, chunks } of sorted) await writer.addSeries(encodeLabels(labels), chunks.map(floats));
  await writer.finish({ minTime: 0, maxTime: END, compaction: { level: 1, sources: [ulid] } });
  const block = await Block.open(disk, `blocks/${ulid}`, new PageCache(1024 * 1024));
  const refs = block.index.postings([]);
  const tombstones = sorted.map(({ deleted }, i): [number, readonly Interval[]] => [
    refs[i],
    deleted.reduce<Interval[]>(addInterval, []),
  ]);
  block.replaceTombstones(new Map(tombstones.filter(([, intervals]) => intervals.length > 0)));
  return block;
}

function floats({ mint, maxt, v }: GivenSeries['chunks'][number]): BlockChunk {
  const appender = new XorAppender();
  appender.append(mint, v);
  if (maxt > mint) appender.append(maxt, v + 0.1);
  return { mint, maxt, encoding: appender.encoding, data: appender.bytes().slice() };
}

/** Everything that a querier selects, in its order. */
async function selected(querier: Querier, request: SelectRequest, read = ctx) {
  const found: { labels: string; chunks: string[] }[] = [];
  for await (const batch of querier.select(read, request))
    for (let s = 0; s < batch.seriesCount; s++) {
      const chunks: string[] = [];
      for (let c = batch.chunkStarts[s]; c < batch.chunkStarts[s + 1]; c++) {
        const start = batch.chunkDataOffset[c];
        const data = batch.chunkData.subarray(start, start + batch.chunkDataLength[c]);
        chunks.push(
          `${batch.chunkMint[c]} ${batch.chunkMaxt[c]} ${batch.chunkEncoding[c]} ${Buffer.from(data).toString('hex')}`,
        );
      }
      const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[s], batch.labelOffsets[s + 1]);
      found.push({ labels: labels.toString(), chunks });
    }
  return found;
}

async function openBoth(blocks: readonly Block[], known = new KnownPairs(1024 * 1024), sizes?: BlocksSizes) {
  return {
    plain: mergeQueriers(await Promise.all(blocks.map((block) => block.querier(0, END)))),
    columns: await BlocksQuerier.open(blocks, known, 0, END, sizes),
  };
}

const text = fc.constantFrom('a', 'b', 'ab', 'ä', '😀', '\uffff', 'x'.repeat(200), ' ');
const labelSet = fc
  .dictionary(text, text, { maxKeys: 3 })
  .map((pairs) => Labels.from({ ...pairs, __name__: 'm' }));
const interval = fc
  .tuple(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 0, max: 30 }))
  .map(([mint, length]) => ({ mint, maxt: mint + length }));
/** In order and apart, as blocks have them; times are few, so that those of different blocks meet. */
const chunks = fc
  .uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 2, maxLength: 8 })
  .chain((times) => {
    const sorted = times.toSorted((a, b) => a - b);
    const pairs = Array.from({ length: sorted.length >> 1 }, (_, i) => [sorted[2 * i], sorted[2 * i + 1]]);
    return fc.double().map((v) => pairs.map(([mint, maxt]) => ({ mint, maxt, v })));
  });
const series = fc.record({
  labels: labelSet,
  chunks,
  deleted: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(interval, { maxLength: 2 })),
});
const matcher = fc.oneof(
  fc.constant(new Matcher('=', '__name__', 'm')),
  fc
    .tuple(fc.constantFrom('=', '!=', '=~', '!~'), text, text)
    .map(([type, name, value]) => new Matcher(type, name, value)),
);
const SMALL: BlocksSizes = {
  decodedSeriesMax: 6,
  sliceSeriesMin: 1,
  sliceSeriesMax: 3,
  batch: { seriesMax: 4, chunksMax: 5 },
};

test('blocks read in columns give what their queriers give merged', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(series, { maxLength: 12 }), { minLength: 1, maxLength: 5 }),
      fc.array(matcher, { minLength: 1, maxLength: 2 }),
      interval,
      fc.boolean(),
      fc.boolean(),
      async (given, matchers, { mint, maxt }, labelsOnly, small) => {
        const disk = new MemoryDisk();
        const blocks = await Promise.all(given.map((list) => blockOf(disk, list)));
        // Pairs of no bytes at all are numbered anew with every batch.
        const known = new KnownPairs(small ? 0 : 1024 * 1024);
        const { plain, columns } = await openBoth(blocks, known, small ? SMALL : undefined);
        const request = { matchers, mint, maxt, sorted: true, hints: { labelsOnly } };
        const expected = await selected(plain, request);
        expect(await selected(columns, request)).toEqual(expected);
        // And again, with what is known by now.
        expect(await selected(columns, request)).toEqual(expected);
        const limited = await selected(columns, { ...request, hints: { labelsOnly, limit: 2 } });
        expect(limited).toEqual(expected.slice(0, 2));
      },
    ),
    { numRuns: 150 },
  );
});

test('two selects at a time on pairs that are numbered anew do not disturb each other', async () => {
  const disk = new MemoryDisk();
  const sets = Array.from({ length: 30 }, (_, i) => Labels.from({ __name__: 'm', i: String(i % 20) }));
  const blocks = await Promise.all(
    [0, 5, 10].map((from) =>
      blockOf(
        disk,
        sets
          .slice(from, from + 15)
          .map((labels) => ({ labels, chunks: [{ mint: 1, maxt: 2, v: from }], deleted: [] })),
      ),
    ),
  );
  const { plain, columns } = await openBoth(blocks, new KnownPairs(0), SMALL);
  const request = { matchers: [new Matcher('=', '__name__', 'm')], mint: 0, maxt: 9, sorted: true };
  const expected = await selected(plain, request);
  const found = await Promise.all([selected(columns, request), selected(columns, request)]);
  expect(found).toEqual([expected, expected]);
  await columns.close();
});

test('a read that wants to know hears of each block what it gave', async () => {
  const disk = new MemoryDisk();
  const one = (v: number, labels = Labels.from({ __name__: 'm' })) => ({
    labels,
    chunks: [{ mint: 1, maxt: 2, v }],
    deleted: [],
  });
  const blocks = [
    await blockOf(disk, [one(1)]),
    await blockOf(disk, [one(2), one(3, Labels.from({ __name__: 'm', a: 'b' }))]),
  ];
  const { columns } = await openBoth(blocks);
  const sources: Record<string, SourceTally> = {};
  const tally = {
    source: (name: string) => {
      sources[name] ??= newTally();
      return sources[name];
    },
    now: () => 0,
  };
  const request = { matchers: [new Matcher('=', '__name__', 'm')], mint: 0, maxt: 9, sorted: true };
  await selected(columns, request, { ...ctx, tally } as never);
  const [first, second] = blocks.map(({ meta }) => sources[`block ${meta.ulid}`]);
  expect(first).toMatchObject({ batches: 1, series: 1, chunks: 1, samples: 2 });
  expect(second).toMatchObject({ batches: 1, series: 2, chunks: 2, samples: 4 });
  // Its second series has one label more, of eight bytes.
  expect(second.bytes).toBe(2 * first.bytes + 8);
});

test('chunks of any kind and length pass', async () => {
  const disk = new MemoryDisk();
  const labels = Labels.from({ __name__: 'm' });
  const ulid = String(written++).padStart(26, '0');
  const writer = await BlockWriter.create({ disk, dir: 'blocks', ulid });
  const data = Uint8Array.from({ length: 3000 }, (_, i) => i);
  await writer.addSeries(encodeLabels(labels), [
    floats({ mint: 1, maxt: 2, v: 1 }),
    { mint: 3, maxt: 4, encoding: 2, data },
  ]);
  await writer.finish({ minTime: 0, maxTime: END, compaction: { level: 1, sources: [ulid] } });
  const block = await Block.open(disk, `blocks/${ulid}`, new PageCache(1024 * 1024));
  const { plain, columns } = await openBoth([block, block]);
  const request = { matchers: [new Matcher('=', '__name__', 'm')], mint: 0, maxt: 9, sorted: true };
  const found = await selected(columns, request);
  expect(found).toEqual(await selected(plain, request));
  expect(found[0].chunks).toHaveLength(4);
});
