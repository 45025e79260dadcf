import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answeringBlocks, type Candidate } from './answering-blocks.ts';

type Named = Candidate & { readonly name: string };

function candidate(
  name: string,
  resolutionMs: number,
  sources: string,
  more: Partial<Candidate> = {},
): Named {
  return { name, resolutionMs, sources: [...sources], labels: {}, shard: undefined, ...more };
}

/** The names of those that answer; every source lies over one hour unless said otherwise. */
function answer(
  blocks: readonly Named[],
  { fixed = [], preferRaw = false, extents = {}, bestMs }: Options = {},
): string[] {
  const extentOf = (source: string) => extents[source] ?? 1;
  const stretch = { blocks, fixed, extentOf, preferRaw, ...(bestMs !== undefined && { bestMs }) };
  return answeringBlocks(stretch)
    .blocks.map(({ name }) => name)
    .sort();
}

interface Options {
  readonly fixed?: readonly Candidate[];
  readonly preferRaw?: boolean;
  readonly bestMs?: number;
  readonly extents?: Record<string, number>;
}

const shard = (index: number, count: number) => ({ shard: { index, count } });

test('the coarsest block answers alone that has every source', () => {
  const raw = [candidate('R', 0, 'ab'), candidate('S', 0, 'c')];
  expect(answer([...raw, candidate('F', 5, 'abc')])).toEqual(['F']);
  expect(answer([...raw, candidate('F', 5, 'abc'), candidate('H', 60, 'ab')])).toEqual(['F']);
  expect(answer([...raw, candidate('F', 5, 'abc')], { preferRaw: true })).toEqual(['R', 'S']);
});

test('a block coarser than the best answers only where no other one does', () => {
  const [raw, fine, hour] = [candidate('R', 0, 'a'), candidate('F', 5, 'a'), candidate('H', 60, 'a')];
  expect(answer([raw, fine, hour], { bestMs: 5 })).toEqual(['F']);
  expect(answer([raw, hour], { bestMs: 5 })).toEqual(['R']);
  expect(answer([hour], { bestMs: 5 })).toEqual(['H']);
  expect(answer([fine, hour], { bestMs: 1 })).toEqual(['F']);
});

test('raw blocks answer where two coarser ones each lack what the other has', () => {
  const coarse = [candidate('N', 5, 'ax'), candidate('W', 5, 'ab')];
  expect(answer([...coarse, candidate('R', 0, 'ax'), candidate('S', 0, 'b')])).toEqual(['R', 'S']);
  // A late block that is not joined yet may have the same samples once more.
  expect(answer([candidate('F', 5, 'a'), candidate('G', 5, 'x'), candidate('R', 0, 'ax')])).toEqual(['R']);
});

test('without raw ones, coarser blocks that have nothing in common answer together', () => {
  expect(answer([candidate('F', 5, 'a'), candidate('G', 5, 'b')])).toEqual(['F', 'G']);
  expect(answer([candidate('F', 5, 'a'), candidate('X', 0, 'x')])).toEqual(['F', 'X']);
  expect(answer([candidate('H', 60, 'ab'), candidate('F', 5, 'bc'), candidate('R', 0, 'c')])).toEqual([
    'H',
    'R',
  ]);
});

test('where something must be left out, it is what may lie anywhere over the longest time', () => {
  const blocks = [candidate('W', 5, 'abcde'), candidate('N', 5, 'ax')];
  expect(answer(blocks, { extents: { b: 14, c: 14, d: 14, e: 14 } })).toEqual(['N']);
  expect(answer(blocks, { extents: { x: 14 } })).toEqual(['W']);
});

test('beside a block on the local disk no coarser one is read that has anything of it', () => {
  const fixed = [candidate('L', 0, 'b')];
  expect(answer([candidate('F', 5, 'ab')], { fixed })).toEqual([]);
  expect(answer([candidate('F', 5, 'ab'), candidate('R', 0, 'a')], { fixed })).toEqual(['R']);
  expect(answer([candidate('F', 5, 'a')], { fixed })).toEqual(['F']);
});

test('shards are chosen each for itself where nothing holds several of them', () => {
  const raw = [candidate('R1', 0, 'a', shard(0, 2)), candidate('R2', 0, 'a', shard(1, 2))];
  const coarse = candidate('F1', 5, 'a', shard(0, 2));
  expect(answer([...raw, coarse])).toEqual(['F1', 'R2']);
  expect(answer([candidate('R', 0, 'a'), coarse])).toEqual(['R']);
  expect(answer([candidate('R', 0, 'a'), coarse, candidate('F2', 5, 'a', shard(1, 2))])).toEqual([
    'F1',
    'F2',
  ]);
});

test('blocks of series with other labels are looked at apart', () => {
  const labels = { cluster: 'b' };
  const blocks = [candidate('F', 5, 'a', { labels: { cluster: 'a' } }), candidate('R', 0, 'x', { labels })];
  expect(answer(blocks)).toEqual(['F', 'R']);
  const joined = candidate('J', 0, 'ax');
  expect(answer([...blocks, joined])).toEqual(['J', 'R']);
});

const shards = fc.constantFrom(
  undefined,
  { index: 0, count: 2 },
  { index: 1, count: 2 },
  { index: 3, count: 4 },
);
const candidates = fc
  .array(
    fc.record({
      resolutionMs: fc.constantFrom(0, 0, 5, 60),
      sources: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }),
      shard: shards,
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((list) => list.map((one, i) => ({ ...one, name: String(i), labels: {} })));

const ATOMS = [0, 1, 2, 3];

/** Sources by shard. */
function pairsOf({ sources, shard: own }: Candidate): string[] {
  const atoms = ATOMS.filter((atom) => !own || atom % own.count === own.index);
  return sources.flatMap((source) => atoms.map((atom) => `${source}${atom}`));
}

/** Whether no pair counts twice, and how many there are. */
function judge(blocks: readonly Candidate[]): { readonly isOnce: boolean; readonly size: number } {
  const raw = new Set(blocks.filter(({ resolutionMs }) => resolutionMs === 0).flatMap(pairsOf));
  const coarse = blocks.filter(({ resolutionMs }) => resolutionMs > 0).flatMap(pairsOf);
  const all = new Set([...raw, ...coarse]);
  return { isOnce: all.size === raw.size + coarse.length, size: all.size };
}

test('nothing counts twice, and nothing is missing where any choice of blocks lacks nothing', () => {
  fc.assert(
    fc.property(candidates, fc.boolean(), (blocks, preferRaw) => {
      const { blocks: chosen } = answeringBlocks({ blocks, fixed: [], extentOf: () => 1, preferRaw });
      const { isOnce, size } = judge(chosen);
      expect(isOnce).toBe(true);
      const choices = Array.from({ length: 2 ** blocks.length }, (_, bits) =>
        blocks.filter((_, i) => (bits >> i) % 2 === 1),
      );
      const best = Math.max(...choices.map(judge).map((one) => (one.isOnce ? one.size : 0)));
      if (!preferRaw && best === judge(blocks).size) expect(size).toBe(best);
    }),
    { numRuns: 1000 },
  );
});
