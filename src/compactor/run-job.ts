import { lineageOf } from '../blocks/changes.ts';
import { blockRef, META_FILE } from '../blocks/layout.ts';
import { type IndexStats, parseMeta, withCounts, withRewrites } from '../blocks/meta.ts';
import { SHARD_LABEL, shardText } from '../blocks/shard-label.ts';
import { VeronaError } from '../model/errors.ts';
import type { RelabelRule } from '../model/relabel-rule.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Random } from '../platform/random.ts';
import { settled } from '../platform/settled.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { newUlid } from '../tsdb/block/ulid.ts';
import { hasDeletedChunks } from '../tsdb/compact/find-deleted.ts';
import { type MergeReport, mergeBlocks, type ReplicaDedup } from '../tsdb/compact/merge-blocks.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import type { LabelChange } from '../tsdb/compact/sorted-series.ts';
import { downsampleBlock } from '../tsdb/downsample/downsample-block.ts';
import { amendMeta } from './amend-meta.ts';
import { type Diagnosis, diagnoseBlock } from './diagnose-block.ts';
import { diskNeedOf } from './disk-budget.ts';
import { DiskShortage, isDiskFull } from './disk-shortage.ts';
import { downloadBlock, FILES_WITHOUT_CHUNKS } from './download.ts';
import { type CompactorJob, jobBytes } from './job.ts';
import { repairBlock } from './repair-block.ts';
import { coarserCompaction, resultCompaction, resultSourceTimes } from './result-sources.ts';
import { earlierRewrites, rewritesOf } from './rewrites.ts';
import { seriesDeletions } from './series-deletions.ts';
import { uploadBlock } from './upload.ts';
import { verifyOutput } from './verify-output.ts';

export interface JobDeps {
  readonly bucket: Bucket;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a job's outputs are made with, besides its blocks. */
export interface JobOptions {
  /** Folder of this machine for downloads and results; a job makes and removes its own below it. */
  readonly workDir: string;
  readonly dedup: ReplicaDedup;
  /** Who is said to have made the result (`thanos.source`): the compactor when not given. */
  readonly source?: string;
  /** How far a repair goes: `look` only reads, `try` writes the new block here and not into the bucket. `do` when not given. */
  readonly repair?: 'look' | 'try' | 'do';
  /** Other labels for the series of a block that is rewritten, and the rules by which, for its `meta.json`. */
  readonly change?: LabelChange;
  readonly relabels?: readonly RelabelRule[];
  /** Names `change`: the same for all blocks that it is made in. */
  readonly changeId?: string;
}

/** How far a job is, for whoever looks. */
export interface JobProgress {
  readonly step: 'wait' | 'download' | 'merge' | 'downsample' | 'repair' | 'verify' | 'upload';
  /** 0 … 1, of the step. */
  readonly done: number;
}

export interface JobReport {
  /** ULIDs of the blocks that are in the bucket now; none when no sample was left of a block that is no shard. */
  readonly outputs: readonly string[];
  /** Whether the blocks that were read stay: nothing was made in their place. */
  readonly keepsSources: boolean;
  readonly bytesRead: number;
  readonly samplesRead: number;
  readonly samplesWritten: number;
  /** Of a repair. */
  readonly repair?: RepairReport;
}

/** What a repair found, and did or would have done. */
export interface RepairReport {
  readonly diagnosis: Diagnosis;
  /** In plain fragments. */
  readonly changes: readonly string[];
}

/** Blocks of a job that are fetched at once; more of them would hold more pieces in memory. */
const DOWNLOADS_AT_ONCE = 4;

/**
 * Does one job: fetches its blocks, merges them, reads the result back, and brings it into the bucket. Whatever
 * goes wrong, nothing but files without a `meta.json` is left there, and nothing on this disk. Throws `BlockFault` for a
 * source that is damaged, and `DiskShortage` when this disk, or that of the bucket, has no room. The sources are not touched.
 */
export async function runJob(
  ctx: BucketContext,
  job: CompactorJob,
  options: JobOptions,
  deps: JobDeps,
  onProgress: (progress: JobProgress) => void = () => {},
): Promise<JobReport> {
  const { disk, clock, random } = deps;
  const dir = `${options.workDir}/${newUlid(clock, random)}`;
  let step: JobProgress['step'] = 'download';
  const noteProgress = (progress: JobProgress) => {
    step = progress.step;
    onProgress(progress);
  };
  try {
    await disk.makeDir(dir);
    await checkSpace(disk, dir, job);
    return await new JobRun(ctx, job, options, deps, dir, noteProgress).run();
  } catch (error) {
    if (isDiskFull(error)) throw DiskShortage.during(step, error as Error);
    throw error instanceof BlockFault ? BlockFault.of(error.ulid, withoutPlace(error.message, dir)) : error;
  } finally {
    await disk.remove(dir);
  }
}

/** Where a block lay on this disk for a while tells nobody anything. */
function withoutPlace(text: string, dir: string): string {
  return text.replaceAll(`${dir}/in/`, '');
}

async function checkSpace(disk: Disk, dir: string, job: CompactorJob): Promise<void> {
  const wanted = diskNeedOf(job);
  const free = await disk.freeBytes(dir);
  if (free < wanted) throw DiskShortage.before(wanted, free);
}

class JobRun {
  readonly #ctx: BucketContext;
  readonly #job: CompactorJob;
  readonly #options: JobOptions;
  readonly #deps: JobDeps;
  readonly #dir: string;
  readonly #onProgress: (progress: JobProgress) => void;

  constructor(
    ctx: BucketContext,
    job: CompactorJob,
    options: JobOptions,
    deps: JobDeps,
    dir: string,
    onProgress: (progress: JobProgress) => void,
  ) {
    this.#ctx = ctx;
    this.#job = job;
    this.#options = options;
    this.#deps = deps;
    this.#dir = dir;
    this.#onProgress = onProgress;
  }

  async run(): Promise<JobReport> {
    const { change } = this.#options;
    if (this.#job.kind === 'rewrite' && !change && !(await this.#hasDeletedChunks()))
      return this.#noteApplied();
    await this.#download();
    if (this.#job.kind === 'downsample') return this.#downsample();
    if (this.#job.kind === 'repair') return this.#repair();
    const report = await this.#merge();
    const outputs = report.outputs.filter((meta) => meta !== undefined);
    const stats = new Map<string, IndexStats>();
    for (const meta of outputs) stats.set(meta.ulid, await this.#verify(meta));
    checkCounts(report, outputs);
    for (const [shard, meta] of report.outputs.entries())
      if (meta) await this.#upload(meta, shard, stats.get(meta.ulid));
    return {
      outputs: outputs.map(({ ulid }) => ulid),
      keepsSources: false,
      bytesRead: jobBytes(this.#job),
      samplesRead: report.samplesRead,
      samplesWritten: sampleCount(outputs),
    };
  }

  /** Whether a block that was to be rewritten has anything to leave out. */
  async #hasDeletedChunks(): Promise<boolean> {
    const { bucket, disk } = this.#deps;
    const [block] = this.#job.blocks;
    const dir = this.#sourceDir(block.ref.ulid);
    await downloadBlock(this.#ctx, bucket, disk, block, dir, FILES_WITHOUT_CHUNKS);
    const deletions = seriesDeletions(this.#job);
    return deletions !== undefined && hasDeletedChunks(disk, dir, block.ref.ulid, deletions);
  }

  /** Says in the block's `meta.json` that requests hold for it, which had nothing to leave out. */
  async #noteApplied(): Promise<JobReport> {
    const [{ ref, deletions }] = this.#job.blocks;
    await amendMeta(this.#ctx, this.#deps.bucket, ref, (meta, where) => {
      const { sources, deletions: noted } = earlierRewrites(meta, ref.ulid);
      const missing = deletions.filter((id) => !noted.includes(id));
      const { deletions: requests } = this.#job;
      const rewrites = rewritesOf({ sources, deletions: missing, requests, relabels: [] });
      return missing.length > 0 ? withRewrites(meta, where, rewrites) : undefined;
    });
    return { outputs: [ref.ulid], keepsSources: true, bytesRead: 0, samplesRead: 0, samplesWritten: 0 };
  }

  async #download(): Promise<void> {
    const { blocks } = this.#job;
    const { bucket, disk } = this.#deps;
    const waiting = eachOf(blocks);
    let done = 0;
    const fetchNext = async () => {
      // One that fails ends `waiting` for all.
      for (const block of waiting) {
        this.#onProgress({ step: 'download', done: done / blocks.length });
        await downloadBlock(this.#ctx, bucket, disk, block, this.#sourceDir(block.ref.ulid));
        done++;
      }
    };
    await settled(Array.from({ length: DOWNLOADS_AT_ONCE }, fetchNext));
  }

  async #downsample(): Promise<JobReport> {
    const { blocks, resolutionMs } = this.#job;
    const { disk, clock, random } = this.#deps;
    const { ulid } = blocks[0].ref;
    const source = this.#sourceDir(ulid);
    this.#onProgress({ step: 'downsample', done: 0 });
    const report = await downsampleBlock({
      disk,
      source,
      ulid,
      inMs: resolutionOf(await disk.readFile(`${source}/${META_FILE}`), ulid),
      outMs: resolutionMs,
      dir: `${this.#dir}/out`,
      output: newUlid(clock, random),
      compaction: await coarserCompaction(disk, source),
      keepsEmpty: isOfShards(this.#job),
      signal: this.#ctx.signal,
      onProgress: (done) => this.#onProgress({ step: 'downsample', done }),
    });
    const outputs = report.output ? [report.output] : [];
    for (const meta of outputs) await this.#upload(meta, 0, await this.#verify(meta));
    return {
      outputs: outputs.map((meta) => meta.ulid),
      keepsSources: true,
      bytesRead: jobBytes(this.#job),
      samplesRead: report.samplesRead,
      samplesWritten: sampleCount(outputs),
    };
  }

  async #repair(): Promise<JobReport> {
    const { disk, clock, random } = this.#deps;
    const [{ ref }] = this.#job.blocks;
    const { repair = 'do' } = this.#options;
    const source = this.#sourceDir(ref.ulid);
    this.#onProgress({ step: 'verify', done: 0 });
    const found = await diagnoseBlock(disk, source, this.#ctx.signal);
    const findings = found.findings.map((finding) => withoutPlace(finding, this.#dir));
    const diagnosis = { ...found, findings };
    if (repair === 'look' || diagnosis.remedy === 'none') return this.#kept(diagnosis, []);
    if (diagnosis.remedy === 'meta') return this.#repairMeta(diagnosis, repair);
    const { meta, indexStats, samplesRead, changes } = await repairBlock({
      disk,
      source,
      ulid: ref.ulid,
      shard: this.#job.labels[SHARD_LABEL] ?? '',
      dir: `${this.#dir}/out`,
      output: newUlid(clock, random),
      signal: this.#ctx.signal,
      onProgress: (done) => this.#onProgress({ step: 'repair', done }),
    });
    if (repair === 'try') return this.#kept(diagnosis, changes);
    await this.#upload(meta, 0, indexStats);
    return {
      outputs: [meta.ulid],
      keepsSources: false,
      bytesRead: jobBytes(this.#job),
      samplesRead,
      samplesWritten: sampleCount([meta]),
      repair: { diagnosis, changes },
    };
  }

  /** The block itself is good: what says so otherwise is replaced at once. */
  async #repairMeta(diagnosis: Diagnosis, repair: 'try' | 'do'): Promise<JobReport> {
    const [{ ref }] = this.#job.blocks;
    const { stats = {}, files } = diagnosis;
    if (repair === 'do')
      await amendMeta(this.#ctx, this.#deps.bucket, ref, (meta, where) =>
        withCounts(meta, where, stats, files),
      );
    return this.#kept(diagnosis, ['counts and files in meta.json were put right']);
  }

  #kept(diagnosis: Diagnosis, changes: readonly string[]): JobReport {
    const outputs = this.#job.blocks.map(({ ref }) => ref.ulid);
    const bytesRead = jobBytes(this.#job);
    const repair = { diagnosis, changes };
    return { outputs, keepsSources: true, bytesRead, samplesRead: 0, samplesWritten: 0, repair };
  }

  async #merge(): Promise<MergeReport> {
    const { blocks, shards, deletions, labels } = this.#job;
    const { disk, clock, random } = this.#deps;
    const { changeId } = this.#options;
    this.#onProgress({ step: 'merge', done: 0 });
    const replicas = [...new Set(blocks.map(({ replica }) => replica))].sort();
    const shard = shards > 1 ? undefined : (labels[SHARD_LABEL] ?? '');
    const dirs = blocks.map(({ ref }) => this.#sourceDir(ref.ulid));
    const ids = [...deletions.map(({ id }) => id), ...(changeId === undefined ? [] : [changeId])];
    return mergeBlocks({
      disk,
      inputs: blocks.map(({ replica }, i) => ({ dir: dirs[i], replica: replicas.indexOf(replica) })),
      compaction: await resultCompaction(disk, dirs, ids, shard),
      dir: `${this.#dir}/out`,
      ulids: Array.from({ length: shards }, () => newUlid(clock, random)),
      dedup: this.#options.dedup,
      keepsEmpty: isOfShards(this.#job),
      thanosOf: () => undefined,
      deletions: seriesDeletions(this.#job),
      ...(this.#options.change && { reorder: { change: this.#options.change } }),
      signal: this.#ctx.signal,
      onProgress: (done) => this.#onProgress({ step: 'merge', done }),
    });
  }

  async #verify(meta: BlockMeta): Promise<IndexStats> {
    this.#onProgress({ step: 'verify', done: 0 });
    return verifyOutput(this.#deps.disk, `${this.#dir}/out/${meta.ulid}`, meta, this.#ctx.signal);
  }

  async #upload(meta: BlockMeta, shard: number, indexStats?: IndexStats): Promise<void> {
    this.#onProgress({ step: 'upload', done: shard / this.#job.shards });
    const { tenant, labels, replica, resolutionMs, shards, blocks } = this.#job;
    const ref = blockRef(tenant, meta.ulid, blocks[0].ref.layout);
    const dirs = blocks.map((block) => this.#sourceDir(block.ref.ulid));
    const sourceTimes = await resultSourceTimes(this.#deps.disk, dirs);
    await uploadBlock(this.#ctx, this.#deps.bucket, this.#deps.disk, `${this.#dir}/out/${meta.ulid}`, ref, {
      labels: shards > 1 ? { ...labels, [SHARD_LABEL]: shardText({ index: shard, count: shards }) } : labels,
      source: this.#options.source ?? (this.#job.kind === 'repair' ? 'compactor.repair' : 'compactor'),
      resolutionMs,
      ...(replica !== undefined && { replica }),
      ...(indexStats && { indexStats }),
      ...(sourceTimes && { sourceTimes }),
      ...(await this.#rewrites(meta)),
    });
  }

  /** What is written anew keeps what is said of earlier changes; what is joined says which requests hold for all of it. */
  async #rewrites({ compaction }: BlockMeta): Promise<{ rewrites?: readonly unknown[] }> {
    const { kind, blocks, appliedDeletions, deletions: requests } = this.#job;
    const { relabels = [] } = this.#options;
    const { sources } = lineageOf(compaction.sources, []);
    const [{ ref }] = blocks;
    const isOne = kind !== 'compact';
    const earlier = isOne
      ? earlierRewrites(await this.#deps.disk.readFile(`${this.#sourceDir(ref.ulid)}/${META_FILE}`), ref.ulid)
      : { deletions: [], rewrites: [] };
    const known = new Set<string>(earlier.deletions);
    const deletions = appliedDeletions.filter((id) => !known.has(id));
    const rewrites = [
      ...earlier.rewrites,
      ...rewritesOf({ sources, deletions, requests: isOne ? requests : [], relabels }),
    ];
    return rewrites.length > 0 ? { rewrites } : {};
  }

  #sourceDir(ulid: string): string {
    return `${this.#dir}/in/${ulid}`;
  }
}

/** Shards stand in for their sources when all of them are there, so that each must be, also without samples. */
function isOfShards({ shards, labels }: CompactorJob): boolean {
  return shards > 1 || labels[SHARD_LABEL] !== undefined;
}

function resolutionOf(meta: Uint8Array, ulid: string): number {
  return parseMeta(meta, META_FILE, ulid).resolutionMs;
}

function sampleCount(metas: readonly BlockMeta[]): number {
  return metas.reduce((sum, { stats }) => sum + stats.numSamples, 0);
}

/** Chunks that were copied have all their samples; merging only takes away what is there twice. */
function checkCounts(report: MergeReport, outputs: readonly BlockMeta[]): void {
  const written = sampleCount(outputs);
  if (written > report.samplesRead || written < report.samplesCopied)
    throw new VeronaError(
      'internal',
      `compaction read ${report.samplesRead} samples and wrote ${written}: the result is thrown away`,
    );
}

/** Unlike an array's own iterator it is over for all who share it when one of them leaves. */
function* eachOf<T>(items: readonly T[]): Generator<T> {
  yield* items;
}
