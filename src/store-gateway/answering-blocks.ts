import type { BlockShard } from '../blocks/shard-label.ts';

/** A block that has samples of some stretch of time. */
export interface Candidate {
  /** 0 is raw. */
  readonly resolutionMs: number;
  /** What it was made of: its identity. */
  readonly sources: readonly string[];
  /** External labels without those of shards. */
  readonly labels: Readonly<Record<string, string>>;
  readonly shard: BlockShard | undefined;
}

export interface Stretch<C extends Candidate> {
  /** Blocks to choose from: none of them has all its sources in another of its resolution. */
  readonly blocks: readonly C[];
  /** Raw ones that are read in any case. */
  readonly fixed: readonly Candidate[];
  /** For how long samples of a source may lie, when that touches the stretch; undefined when it does not. */
  readonly extentOf: (source: string) => number | undefined;
  /** Whether finer blocks come first. */
  readonly preferRaw: boolean;
  /** The coarsest resolution that comes before finer ones, ms; still coarser ones come last, the finest first. Any when absent. */
  readonly bestMs?: number;
}

export interface Answer<C extends Candidate> {
  readonly blocks: readonly C[];
  /** Whether they have every source of the stretch. */
  readonly isWhole: boolean;
}

/** Shards of different counts are told apart up to so many in common; beyond that each label is a shard of its own. */
const ATOMS_MAX = 1024;
/** Combinations that are looked at where no resolution alone has everything. */
const COMBINATIONS_MAX = 256;

/**
 * Which blocks answer for one stretch of time. Blocks that may have samples of the same series are looked at together. Of these:
 *
 * 1. No two coarser blocks, and no coarser one beside a raw one, are read that have a source (of the same shard) in common:
 *    its samples would count twice. Raw blocks may: equal samples are one.
 * 2. The first resolution, in the order that is wished for, at which one block alone, one per shard, or all raw ones together
 *    have every source of the stretch, answers. So a block stands in for others only where its sources include theirs.
 * 3. Where there is none, the combination does that lacks nothing, else the one that lacks only what is least certain to be there
 *    at all: of the sources that may lie over the longest time. Where raw blocks come first they are all read, and coarser
 *    ones beside them only where they have nothing in common with them.
 */
export function answeringBlocks<C extends Candidate>(stretch: Stretch<C>): Answer<C> {
  const { blocks, fixed } = stretch;
  if (blocks.length + fixed.length === 1 || blocks.every(isRaw)) return { blocks, isWhole: true };
  const answers = relatedOf([...blocks, ...fixed]).map((related) => {
    const own = blocks.filter((block) => related.has(block));
    if (own.every(isRaw)) return { blocks: own, isWhole: true };
    return new Choice({ ...stretch, blocks: own, fixed: fixed.filter((one) => related.has(one)) }).run();
  });
  return {
    blocks: answers.flatMap((answer) => answer.blocks),
    isWhole: answers.every((answer) => answer.isWhole),
  };
}

function isRaw({ resolutionMs }: Candidate): boolean {
  return resolutionMs === 0;
}

/** Groups of blocks that may have samples of the same series. */
function relatedOf(all: readonly Candidate[]): ReadonlySet<Candidate>[] {
  let groups: Set<Candidate>[] = [];
  for (const block of all) {
    const touched = groups.filter((group) => [...group].some((other) => areRelated(block, other)));
    groups = groups.filter((group) => !touched.includes(group));
    groups.push(new Set([block, ...touched.flatMap((group) => [...group])]));
  }
  return groups;
}

/** What was joined may have lost labels, such as those of replicas; what is on the local disk has none yet. */
function areRelated(a: Candidate, b: Candidate): boolean {
  if (!shareShards(a.shard, b.shard)) return false;
  return isSubset(a.labels, b.labels) || isSubset(b.labels, a.labels) || shareSources(a, b);
}

function isSubset(some: Readonly<Record<string, string>>, all: Readonly<Record<string, string>>): boolean {
  return Object.entries(some).every(([name, value]) => all[name] === value);
}

function shareSources(a: Candidate, b: Candidate): boolean {
  const sources = new Set(a.sources);
  return b.sources.some((source) => sources.has(source));
}

/** By the Chinese remainder theorem. */
function shareShards(a: BlockShard | undefined, b: BlockShard | undefined): boolean {
  if (!a || !b) return true;
  return (a.index - b.index) % greatestCommonDivisor(a.count, b.count) === 0;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** What one block has of the stretch: sources, by shard. As numbers. */
type Pairs = ReadonlySet<number>;

/** Gives the place of a resolution in the order that is wished for. */
function ranking({
  preferRaw,
  bestMs = preferRaw ? 0 : Number.POSITIVE_INFINITY,
}: Pick<Stretch<Candidate>, 'preferRaw' | 'bestMs'>): (resolutionMs: number) => number {
  return (resolutionMs) => (resolutionMs <= bestMs ? -resolutionMs : resolutionMs);
}

class Choice<C extends Candidate> {
  readonly #stretch: Stretch<C>;
  readonly #atomsOf: (shard: BlockShard | undefined) => readonly number[];
  readonly #sourceNumbers = new Map<string, number>();
  readonly #extents: number[] = [];
  readonly #atomCount: number;
  readonly #pairs = new Map<Candidate, Pairs>();
  readonly #needed = new Set<number>();
  /** Of raw blocks that are read in any case. */
  readonly #given = new Set<number>();
  #best: { readonly blocks: readonly C[]; readonly lack: readonly number[] } | undefined;
  #combinations = 0;

  constructor(stretch: Stretch<C>) {
    this.#stretch = stretch;
    const all = [...stretch.blocks, ...stretch.fixed];
    const atoms = atomsOf(all.map(({ shard }) => shard));
    this.#atomCount = atoms.count;
    this.#atomsOf = atoms.of;
    for (const block of all) {
      const pairs = this.#pairsOf(block);
      this.#pairs.set(block, pairs);
      for (const pair of pairs) this.#needed.add(pair);
    }
    for (const block of stretch.fixed) for (const pair of this.#of(block)) this.#given.add(pair);
  }

  run(): Answer<C> {
    const blocks = this.#choose();
    return { blocks, isWhole: this.#lack(this.#unionOf(blocks)).length === 0 };
  }

  #choose(): readonly C[] {
    const { blocks, preferRaw } = this.#stretch;
    const rankOf = ranking(this.#stretch);
    const levels = [...new Set(blocks.map(({ resolutionMs }) => resolutionMs))].sort(
      (a, b) => rankOf(a) - rankOf(b),
    );
    for (const level of levels) {
      const found = this.#alone(blocks.filter(({ resolutionMs }) => resolutionMs === level));
      if (found) return found;
    }
    const ordered = [...blocks].sort(
      (a, b) => rankOf(a.resolutionMs) - rankOf(b.resolutionMs) || this.#of(b).size - this.#of(a).size,
    );
    if (preferRaw) return this.#rawFirst(ordered);
    this.#combine(
      ordered.filter((block) => !isRaw(block)),
      0,
      [],
      this.#given,
    );
    return this.#best?.blocks ?? [];
  }

  /** Blocks of one resolution that have everything: all raw ones, or a single one for every shard. */
  #alone(blocks: readonly C[]): readonly C[] | undefined {
    if (isRaw(blocks[0])) return this.#lack(this.#unionOf(blocks)).length === 0 ? blocks : undefined;
    const rest = [...this.#needed].filter((pair) => !this.#given.has(pair));
    const hasAllOf = (block: C, wanted: readonly number[]) =>
      wanted.every((pair) => this.#of(block).has(pair));
    const able = blocks.filter((block) => !this.#touches(block, this.#given));
    const whole = able.find((block) => hasAllOf(block, rest));
    if (whole) return [whole];
    for (const shards of Map.groupBy(able, ({ shard }) => shard?.count).values()) {
      const found = new Map<number, C>();
      for (const block of shards) {
        if (!block.shard || found.has(block.shard.index)) continue;
        const own = new Set(this.#atomsOf(block.shard));
        if (
          hasAllOf(
            block,
            rest.filter((pair) => own.has(pair % this.#atomCount)),
          )
        )
          found.set(block.shard.index, block);
      }
      const chosen = [...found.values()];
      if (chosen.length > 0 && this.#lack(this.#unionOf(chosen)).length === 0) return chosen;
    }
    return undefined;
  }

  #rawFirst(ordered: readonly C[]): readonly C[] {
    const chosen: C[] = [];
    const served = new Set(this.#given);
    for (const block of ordered) {
      const pairs = this.#of(block);
      const isNew = [...pairs].some((pair) => !served.has(pair));
      if (!isRaw(block) && (!isNew || this.#touches(block, served))) continue;
      chosen.push(block);
      for (const pair of pairs) served.add(pair);
    }
    return chosen;
  }

  /** Tries coarser blocks that have nothing in common, with the raw ones that fit to them. */
  #combine(coarser: readonly C[], from: number, chosen: readonly C[], served: Pairs): void {
    if (this.#best?.lack.length === 0 || this.#combinations >= COMBINATIONS_MAX) return;
    for (let i = from; i < coarser.length; i++)
      if (!this.#touches(coarser[i], served) && this.#of(coarser[i]).size > 0)
        this.#combine(coarser, i + 1, [...chosen, coarser[i]], this.#unionOf([coarser[i]], served));
    this.#combinations++;
    const coarse = this.#unionOf(chosen, new Set());
    const raw = this.#stretch.blocks.filter((block) => isRaw(block) && !this.#touches(block, coarse));
    const lack = this.#lack(this.#unionOf(raw, served));
    if (!this.#best || isLess(lack, this.#best.lack)) this.#best = { blocks: [...chosen, ...raw], lack };
  }

  /** How long the sources may lie that are missing, the most certain first. */
  #lack(served: Pairs): readonly number[] {
    const missing = [...this.#needed].filter((pair) => !served.has(pair));
    return missing.map((pair) => this.#extents[Math.floor(pair / this.#atomCount)]).sort((a, b) => a - b);
  }

  #unionOf(blocks: readonly C[], more: Pairs = this.#given): Pairs {
    const all = new Set(more);
    for (const block of blocks) for (const pair of this.#of(block)) all.add(pair);
    return all;
  }

  #touches(block: C, served: Pairs): boolean {
    for (const pair of this.#of(block)) if (served.has(pair)) return true;
    return false;
  }

  #of(block: Candidate): Pairs {
    return this.#pairs.get(block) as Pairs;
  }

  #pairsOf({ sources, shard }: Candidate): Pairs {
    const pairs = new Set<number>();
    const atoms = this.#atomsOf(shard);
    for (const source of sources) {
      const number = this.#numberOf(source);
      if (number !== undefined) for (const atom of atoms) pairs.add(number * this.#atomCount + atom);
    }
    return pairs;
  }

  #numberOf(source: string): number | undefined {
    const known = this.#sourceNumbers.get(source);
    if (known !== undefined) return known;
    const extent = this.#stretch.extentOf(source);
    if (extent === undefined) return undefined;
    const number = this.#extents.push(extent) - 1;
    this.#sourceNumbers.set(source, number);
    return number;
  }
}

/** The parts of all series that shards are unions of. */
function atomsOf(shards: readonly (BlockShard | undefined)[]): {
  readonly count: number;
  readonly of: (shard: BlockShard | undefined) => readonly number[];
} {
  const counts = new Set(shards.flatMap((shard) => shard?.count ?? []));
  let common = 1;
  for (const count of counts) if (common <= ATOMS_MAX) common *= count / greatestCommonDivisor(common, count);
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
  if (common <= ATOMS_MAX)
    return {
      count: common,
      of: (shard) => upTo(common).filter((atom) => !shard || atom % shard.count === shard.index),
    };
  const labels = [...new Set(shards.flatMap((shard) => (shard ? nameOf(shard) : [])))];
  return {
    count: labels.length,
    of: (shard) => (shard ? [labels.indexOf(nameOf(shard))] : upTo(labels.length)),
  };
}

function nameOf({ index, count }: BlockShard): string {
  return `${index} ${count}`;
}

/** Of two ascending lists, whether the first says that less that is certain is missing. */
function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < b.length; i++) {
    if (i >= a.length || a[i] > b[i]) return true;
    if (a[i] < b[i]) return false;
  }
  return false;
}
