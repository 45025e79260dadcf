import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coveredBlocks } from '../blocks/covered-blocks.ts';
import type { BlockMeta } from '../blocks/meta.ts';
import { type BlockShard, SHARD_LABEL, shardOf, shardText } from '../blocks/shard-label.ts';
import { chooseBlocks, type HasMeta, type ResolutionWish } from './choose-blocks.ts';

const HOUR = 3_600_000;
const HOURS = 12;
const RESOLUTIONS = [0, 300_000, HOUR] as const;
/** As many as any count of shards tells apart. */
const SERIES = 4;

/** A source has one sample of every series in each of its hours. */
interface Source {
  readonly from: number;
  readonly to: number;
}

/** Blocks as they come about, and what is really in them. */
class History {
  readonly sources = new Map<string, Source>();
  readonly blocks: HasMeta[] = [];
  /** A raw block went before its time. */
  isRawGone = false;
  #made = 0;

  upload(from: number, hours: number): void {
    const ulid = this.#name();
    this.sources.set(ulid, { from, to: from + hours });
    this.#add({ ulid, mint: from * HOUR, maxt: (from + hours) * HOUR, sources: [ulid] });
  }

  /** Some blocks of one resolution become one, or one per shard, of which the last may be missing. */
  join(picks: readonly number[], level: number, shards: number, isWhole: boolean): void {
    const able = this.#visible().filter(
      ({ meta }) => meta.resolutionMs === RESOLUTIONS[level] && !shardOf(meta.labels),
    );
    const metas = [...new Set(picks.map((pick) => able[pick % Math.max(1, able.length)]?.meta))].filter(
      (meta) => meta !== undefined,
    );
    metas.sort((a, b) => a.mint - b.mint);
    if (metas.length < 2) return;
    if (level > 0 && metas.some((meta, i) => i > 0 && meta.mint < metas[i - 1].maxt)) return;
    const made = {
      mint: metas[0].mint,
      maxt: Math.max(...metas.map(({ maxt }) => maxt)),
      sources: [...new Set(metas.flatMap(({ sources }) => sources))],
      level: Math.max(...metas.map((meta) => meta.level)) + 1,
      resolutionMs: RESOLUTIONS[level],
    };
    const present = isWhole ? shards : shards - 1;
    if (shards === 1) this.#add(made);
    else
      for (let index = 0; index < present; index++)
        this.#add({ ...made, labels: { [SHARD_LABEL]: shardText({ index, count: shards }) } });
  }

  downsample(pick: number, level: number): void {
    const able = this.#visible().filter(({ meta }) => meta.resolutionMs === RESOLUTIONS[level]);
    if (able.length === 0) return;
    const { meta } = able[pick % able.length];
    this.#add({ ...meta, ulid: this.#name(), resolutionMs: RESOLUTIONS[level + 1] });
  }

  /** What others hold as well is deleted, or a block that nobody else holds. */
  remove(pick: number, isGarbage: boolean): void {
    const covered = coveredBlocks(this.blocks.map(({ meta }) => meta));
    const able = this.blocks.filter(({ meta }) => covered.has(meta.ulid) === isGarbage);
    if (able.length === 0) return;
    const block = able[pick % able.length];
    this.blocks.splice(this.blocks.indexOf(block), 1);
    if (!isGarbage && block.meta.resolutionMs === 0) this.isRawGone = true;
  }

  #visible(): HasMeta[] {
    const covered = coveredBlocks(this.blocks.map(({ meta }) => meta));
    return this.blocks.filter(({ meta }) => !covered.has(meta.ulid));
  }

  #add(meta: Partial<BlockMeta>): void {
    const rest = { level: 1, seriesCount: 1, chunkCount: 1, labels: {}, resolutionMs: 0, files: [] };
    const whole = { ulid: this.#name(), ...rest, appliedDeletions: [], ...meta } as BlockMeta;
    this.blocks.push({ meta: whole });
  }

  #name(): string {
    return String(this.#made++).padStart(4, '0');
  }
}

type Operation =
  | { readonly kind: 'upload'; readonly from: number; readonly hours: number }
  | { kind: 'join'; picks: number[]; level: number; shards: number; isWhole: boolean }
  | { readonly kind: 'downsample'; readonly pick: number; readonly level: number }
  | { readonly kind: 'remove'; readonly pick: number; readonly isGarbage: boolean };

const pick = fc.nat(30);
const operations: fc.Arbitrary<Operation>[] = [
  fc.record({ kind: fc.constant('upload'), from: fc.nat(HOURS - 1), hours: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    kind: fc.constant('join'),
    picks: fc.array(pick, { minLength: 2, maxLength: 4 }),
    level: fc.constantFrom(0, 0, 1, 2),
    shards: fc.constantFrom(1, 1, 2, 4),
    isWhole: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('downsample'), pick, level: fc.constantFrom(0, 0, 1) }),
  fc.record({ kind: fc.constant('remove'), pick, isGarbage: fc.boolean() }),
];
const histories = fc.array(fc.oneof(...operations), { minLength: 4, maxLength: 25 });

function run(steps: readonly Operation[]): History {
  const history = new History();
  for (const step of steps)
    if (step.kind === 'upload') history.upload(step.from, step.hours);
    else if (step.kind === 'join') history.join(step.picks, step.level, step.shards, step.isWhole);
    else if (step.kind === 'downsample') history.downsample(step.pick, step.level);
    else history.remove(step.pick, step.isGarbage);
  return history;
}

function hasSeries(shard: BlockShard | undefined, series: number): boolean {
  return !shard || series % shard.count === shard.index;
}

/** How often an answer counts each sample: raw ones that come twice are one, windows add up. */
function counts(history: History, wish: ResolutionWish): Map<string, number> {
  const found = new Map<string, number>();
  const raw = new Set<string>();
  for (const { block, mint, maxt } of chooseBlocks(history.blocks, 0, 1e9, new Set(), wish))
    for (const source of block.meta.sources) {
      const { from, to } = history.sources.get(source) as Source;
      for (let hour = from; hour < to; hour++)
        for (let series = 0; series < SERIES; series++) {
          if (hour * HOUR < mint || hour * HOUR > maxt || !hasSeries(shardOf(block.meta.labels), series))
            continue;
          const sample = `${source} ${hour} ${series}`;
          if (block.meta.resolutionMs === 0 && raw.has(sample)) continue;
          if (block.meta.resolutionMs === 0) raw.add(sample);
          found.set(sample, (found.get(sample) ?? 0) + 1);
        }
    }
  return found;
}

const WISHES: readonly ResolutionWish[] = [
  { maxMs: 0 },
  { maxMs: 300_000 },
  { maxMs: HOUR },
  { maxMs: HOUR, bestMs: 300_000 },
  { maxMs: HOUR, preferRaw: true },
];

test('whatever was joined, split, made coarser and removed, no sample counts twice, and none is missing while all is there raw', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const history = run(steps);
      for (const wish of WISHES) {
        const found = counts(history, wish);
        for (const [sample, count] of found) expect([sample, count]).toEqual([sample, 1]);
        if (!history.isRawGone)
          for (const [source, { from, to }] of history.sources)
            expect([...found.keys()].filter((sample) => sample.startsWith(`${source} `))).toHaveLength(
              (to - from) * SERIES,
            );
      }
    }),
    { numRuns: 2000 },
  );
});
