import type { BucketBlock } from '../blocks/block-catalog.ts';
import { coveredBlocks } from '../blocks/covered-blocks.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import { INDEX_FILE } from '../blocks/layout.ts';
import { SHARD_LABEL } from '../blocks/shard-label.ts';
import { ulidTime } from '../tsdb/block/ulid.ts';
import type { CompactorJob } from './job.ts';
import { makeJob } from './make-job.ts';
import { type CompactionRules, groupLabels } from './rules.ts';

export interface CompactionPlan {
  /** Blocks whose data others hold as well, with those others: they may be marked for deletion. */
  readonly garbage: readonly { readonly block: BucketBlock; readonly coveredBy: readonly string[] }[];
  /** In the order of their importance: the oldest time first. No two read the same block. */
  readonly jobs: readonly CompactorJob[];
  /** What no job touches and none could: whoever makes something of blocks that stay begins with these. */
  readonly settled: readonly BucketBlock[];
  /** Raw blocks that overlap others with which they will be joined: until then a sample may be in several of them. */
  readonly overlapping: readonly BucketBlock[];
}

/**
 * What to do about the blocks of one tenant at time `nowMs`. Pure: the same blocks give the same plan in every process.
 *
 * Blocks are grouped by external labels without those of replicas, and by resolution. In each group, from the largest
 * range down, all blocks inside one aligned range are joined when the range is over; two blocks of the same time are
 * joined like two that follow each other. Blocks that overlap across the bounds of ranges are joined at last. A block that
 * must not be compacted is left out, and what would enclose it is joined before and after it only. Jobs apply `requests` on
 * their way.
 */
export function planCompaction(
  tenant: string,
  blocks: readonly BucketBlock[],
  rules: CompactionRules,
  nowMs: number,
  requests: readonly DeletionRequest[] = [],
): CompactionPlan {
  const present = blocks.filter(({ marks }) => !marks.deletion);
  const trusted = present.filter(({ marks }) => !marks.quarantine);
  const covered = withQuarantined(coveredBlocks(trusted.map(({ meta }) => meta)), trusted, present);
  const garbage = present
    .filter(({ meta }) => covered.has(meta.ulid))
    .map((block) => ({ block, coveredBy: covered.get(block.meta.ulid) as readonly string[] }));
  const groups = Map.groupBy(
    present.filter(({ meta }) => !covered.has(meta.ulid)),
    ({ meta }) => JSON.stringify([meta.resolutionMs, groupLabels(meta.labels, rules.replicaLabels)]),
  );
  const plans = [...groups.values()].map((group) =>
    new GroupPlan(tenant, group, rules, nowMs, requests).run(),
  );
  return {
    garbage,
    jobs: plans.flatMap(({ jobs }) => jobs).sort((a, b) => a.blocks[0].mint - b.blocks[0].mint),
    settled: plans.flatMap(({ settled }) => settled),
    overlapping: plans.flatMap(({ overlapping }) => overlapping),
  };
}

/** And which of those set aside: others may hold all of such a block, but it never stands in for them. */
function withQuarantined(
  covered: ReadonlyMap<string, readonly string[]>,
  trusted: readonly BucketBlock[],
  present: readonly BucketBlock[],
): ReadonlyMap<string, readonly string[]> {
  const all = new Map(covered);
  const metas = trusted.map(({ meta }) => meta);
  for (const { meta, marks } of present) {
    const cover = marks.quarantine && coveredBlocks([...metas, meta]).get(meta.ulid);
    if (cover) all.set(meta.ulid, cover);
  }
  return all;
}

/** Whether a block of first hand is so old that others of its time have come as well. */
export function isSettled(
  { meta, uploadedMs }: Pick<BucketBlock, 'meta' | 'uploadedMs'>,
  settleMs: number,
  nowMs: number,
): boolean {
  // Made with a wrong clock, a block may claim to be of the future; it is at least as old as it is in the bucket.
  const madeMs = Math.min(ulidTime(meta.ulid), uploadedMs);
  return meta.level > 1 || madeMs + settleMs <= nowMs;
}

function mayCompact({ marks }: BucketBlock): boolean {
  return !marks['no-compact'] && !marks.quarantine;
}

class GroupPlan {
  readonly #tenant: string;
  readonly #rules: CompactionRules;
  readonly #nowMs: number;
  readonly #requests: readonly DeletionRequest[];
  readonly #excluded: readonly BucketBlock[];
  readonly #left: Set<BucketBlock>;
  readonly #jobs: CompactorJob[] = [];
  readonly #overlapping: BucketBlock[] = [];

  constructor(
    tenant: string,
    blocks: readonly BucketBlock[],
    rules: CompactionRules,
    nowMs: number,
    requests: readonly DeletionRequest[],
  ) {
    this.#tenant = tenant;
    this.#rules = rules;
    this.#nowMs = nowMs;
    this.#requests = requests;
    this.#excluded = blocks.filter((block) => !mayCompact(block));
    this.#left = new Set(blocks.filter(mayCompact).sort(byTime));
  }

  run(): Pick<CompactionPlan, 'jobs' | 'settled' | 'overlapping'> {
    for (const rangeMs of [...this.#rules.rangesMs].reverse()) this.#joinRanges(rangeMs);
    this.#joinOverlaps();
    const settled = [...this.#left, ...this.#excluded].filter((block) => this.#isFinal(block));
    return { jobs: this.#jobs, settled, overlapping: this.#overlapping };
  }

  /** Joins what lies in the same range of `rangeMs`, aligned to the epoch. */
  #joinRanges(rangeMs: number): void {
    const startOf = ({ meta }: BucketBlock) => Math.floor(meta.mint / rangeMs) * rangeMs;
    const fits = (block: BucketBlock) => block.meta.maxt <= startOf(block) + rangeMs;
    const parts = Map.groupBy([...this.#left].filter(fits), startOf);
    for (const [start, part] of parts)
      if (this.#isReady(part, start + rangeMs))
        for (const run of this.#runs(part)) this.#join(run, rangeMs === this.#rules.rangesMs[0]);
  }

  /** Joins what still overlaps, unless that grew beyond twice the largest range. */
  #joinOverlaps(): void {
    const chain: BucketBlock[] = [];
    let end = Number.NEGATIVE_INFINITY;
    const close = () => {
      const spanMax = 2 * (this.#rules.rangesMs.at(-1) as number);
      const fits = chain.length > 1 && end - chain[0].meta.mint <= spanMax;
      if (fits && this.#isReady(chain, end)) this.#join([...chain], true);
      else if (fits && this.#canJoin(chain)) this.#overlapping.push(...chain);
      chain.length = 0;
    };
    for (const block of [...this.#left].sort(byTime)) {
      if (block.meta.mint >= end) close();
      chain.push(block);
      end = Math.max(end, block.meta.maxt);
    }
    close();
  }

  #isReady(part: readonly BucketBlock[], endMs: number): boolean {
    const { settleMs } = this.#rules;
    const isOver = endMs + settleMs <= this.#nowMs;
    return part.length > 1 && isOver && part.every((block) => isSettled(block, settleMs, this.#nowMs));
  }

  /** Parts between which a block lies that must not be compacted. */
  #runs(part: readonly BucketBlock[]): BucketBlock[][] {
    const runs: BucketBlock[][] = [[]];
    for (const block of part) {
      const before = runs.at(-1)?.at(-1);
      const isApart =
        before !== undefined &&
        this.#excluded.some(({ meta }) => meta.mint >= before.meta.mint && meta.maxt <= block.meta.maxt);
      if (isApart) runs.push([]);
      runs.at(-1)?.push(block);
    }
    return runs;
  }

  /** What is too much for one job is left to smaller ranges; in the last one it is taken in portions. */
  #join(run: readonly BucketBlock[], isLast: boolean): void {
    const { blocksMax } = this.#rules;
    if (run.length > blocksMax && !isLast) return;
    const blocks = run.slice(0, blocksMax);
    if (blocks.length < 2 || !this.#canJoin(blocks)) return;
    const shards = shardCount(blocks, this.#rules);
    for (const block of blocks) this.#left.delete(block);
    const { resolutionMs } = blocks[0].meta;
    const { replicaLabels } = this.#rules;
    const shape = { kind: 'compact', resolutionMs, shards, replicaLabels } as const;
    this.#jobs.push(makeJob(this.#tenant, blocks, this.#requests, shape));
  }

  #canJoin(blocks: readonly BucketBlock[]): boolean {
    const { resolutionMs, labels } = blocks[0].meta;
    // A shard is not split again.
    if (labels[SHARD_LABEL] !== undefined && shardCount(blocks, this.#rules) > 1) return false;
    // Aggregates of the same time cannot be added up again; nor may a block span the time of another that it has nothing of.
    return resolutionMs === 0 || !(overlap(blocks) || this.#enclosesOther(blocks));
  }

  #enclosesOther(blocks: readonly BucketBlock[]): boolean {
    const mint = blocks[0].meta.mint;
    const maxt = Math.max(...blocks.map(({ meta }) => meta.maxt));
    return [...this.#left, ...this.#excluded].some(
      (other) => other.meta.mint < maxt && other.meta.maxt > mint && !blocks.includes(other),
    );
  }

  /** Whether no later round will compact the block, as far as one can tell by its time. */
  #isFinal(block: BucketBlock): boolean {
    if (!mayCompact(block)) return true;
    if (!isSettled(block, this.#rules.settleMs, this.#nowMs)) return false;
    const rangeMs = this.#rules.rangesMs.at(-1) as number;
    const end = (Math.floor(block.meta.mint / rangeMs) + 1) * rangeMs;
    return block.meta.maxt > end || this.#nowMs >= end + this.#rules.settleMs;
  }
}

function byTime(a: BucketBlock, b: BucketBlock): number {
  return a.meta.mint - b.meta.mint || a.meta.maxt - b.meta.maxt || (a.meta.ulid < b.meta.ulid ? -1 : 1);
}

/** Blocks ordered by time. */
function overlap(blocks: readonly BucketBlock[]): boolean {
  return blocks.some(({ meta }, i) => i > 0 && meta.mint < blocks[i - 1].meta.maxt);
}

/** A power of two, so that every further merge of shards finds the same series in each. */
function shardCount(blocks: readonly BucketBlock[], { indexBytesMax, seriesMax }: CompactionRules): number {
  const sum = (of: (block: BucketBlock) => number) => blocks.reduce((total, block) => total + of(block), 0);
  const byIndex = indexBytesMax > 0 ? sum(({ sizes }) => sizes.get(INDEX_FILE) ?? 0) / indexBytesMax : 0;
  const most = Math.max(...blocks.map(({ meta }) => meta.seriesCount));
  const bySeries = seriesMax > 0 ? most / seriesMax : 0;
  const wanted = Math.max(1, byIndex, bySeries);
  return 2 ** Math.ceil(Math.log2(wanted));
}
