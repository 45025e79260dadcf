import fc from 'fast-check';
import { coveredBlocks } from '../blocks/covered-blocks.ts';
import type { BlockMeta } from '../blocks/meta.ts';
import { type BlockShard, SHARD_LABEL, shardOf, shardText } from '../blocks/shard-label.ts';
import { knownExtents } from '../blocks/source-extents.ts';
import type { HasMeta, ResolutionWish } from './choose-blocks.ts';

export const HOUR = 3_600_000;
export const MINUTE = 60_000;
export const HOURS = 12;
export const RESOLUTIONS = [0, 300_000, HOUR] as const;
/** As many as any count of shards tells apart. */
export const SERIES = 4;

/** A block, and when it was uploaded. */
export type DatedBlock = HasMeta & { readonly uploadedMs: number };

/** A source has one sample of every series in each of its hours. */
export interface Source {
  readonly from: number;
  readonly to: number;
}

/** Blocks as they come about, and what is really in them. */
export class History {
  readonly sources = new Map<string, Source>();
  readonly blocks: DatedBlock[] = [];
  /** A raw block went before its time. */
  isRawGone = false;
  readonly #saysTimes: boolean;
  #made = 0;

  /** Whether blocks that are joined say when their sources are. */
  constructor(saysTimes = false) {
    this.#saysTimes = saysTimes;
  }

  /** The time of the last upload. */
  get nowMs(): number {
    return this.#made * MINUTE;
  }

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
    const known = this.#saysTimes ? knownExtents(metas) : undefined;
    const sourceTimes = known && made.sources.flatMap((source) => known[source] ?? [made.mint, made.maxt]);
    const shape = { ...made, ...(sourceTimes && { sourceTimes }) };
    const present = isWhole ? shards : shards - 1;
    if (shards === 1) this.#add(shape);
    else
      for (let index = 0; index < present; index++)
        this.#add({ ...shape, labels: { [SHARD_LABEL]: shardText({ index, count: shards }) } });
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

  #visible(): DatedBlock[] {
    const covered = coveredBlocks(this.blocks.map(({ meta }) => meta));
    return this.blocks.filter(({ meta }) => !covered.has(meta.ulid));
  }

  #add(meta: Partial<BlockMeta>): void {
    const rest = { level: 1, seriesCount: 1, chunkCount: 1, labels: {}, resolutionMs: 0, files: [] };
    const whole = { ulid: this.#name(), ...rest, appliedDeletions: [], ...meta } as BlockMeta;
    // One a minute.
    this.blocks.push({ meta: whole, uploadedMs: (this.#made - 1) * MINUTE });
  }

  #name(): string {
    return String(this.#made++).padStart(4, '0');
  }
}

export type Operation =
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
export const histories = fc.array(fc.oneof(...operations), { minLength: 4, maxLength: 25 });

export function run(steps: readonly Operation[], saysTimes = false): History {
  const history = new History(saysTimes);
  for (const step of steps) runStep(history, step);
  return history;
}

export function runStep(history: History, step: Operation): void {
  if (step.kind === 'upload') history.upload(step.from, step.hours);
  else if (step.kind === 'join') history.join(step.picks, step.level, step.shards, step.isWhole);
  else if (step.kind === 'downsample') history.downsample(step.pick, step.level);
  else history.remove(step.pick, step.isGarbage);
}

export function hasSeries(shard: BlockShard | undefined, series: number): boolean {
  return !shard || series % shard.count === shard.index;
}

export const WISHES: readonly ResolutionWish[] = [
  { maxMs: 0 },
  { maxMs: 300_000 },
  { maxMs: HOUR },
  { maxMs: HOUR, bestMs: 300_000 },
  { maxMs: HOUR, preferRaw: true },
];
