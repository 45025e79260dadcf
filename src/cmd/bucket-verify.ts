import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { BucketBlock, UnfinishedBlock } from '../blocks/block-catalog.ts';
import { BlockMarker } from '../blocks/block-marker.ts';
import { type BlockRef, META_FILE } from '../blocks/layout.ts';
import { metaProblem } from '../compactor/cleanup.ts';
import { isUnreadable } from '../compactor/diagnose-block.ts';
import { makeJob } from '../compactor/make-job.ts';
import { type JobReport, type RepairReport, runJob } from '../compactor/run-job.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import { blockBytes, stepTeller } from './bucket-job.ts';
import {
  addBucketOptions,
  type BucketTool,
  chosenBlocks,
  oneLine,
  print,
  say,
  withBucket,
} from './bucket-tool.ts';
import { EXIT } from './exit.ts';
import type { Progress } from './progress.ts';
import { newProgress } from './tool-progress.ts';

interface VerifyOptions extends Record<string, unknown> {
  readonly repair?: boolean;
  readonly dryRun?: boolean;
}

/** What became of one block. */
interface Verdict {
  readonly folder: string;
  readonly good: boolean;
  readonly findings: readonly string[];
  readonly notes: readonly string[];
  /** What was done, or would be: `none`, `meta` (its `meta.json` put right), `rewrite`, `quarantine`. */
  readonly action: 'none' | 'meta' | 'rewrite' | 'quarantine';
  readonly done: boolean;
  /** The block that stands in its place. */
  readonly into?: string;
  readonly changes?: readonly string[];
  /** Why it cannot be repaired. */
  readonly reason?: string;
  readonly counts?: string;
}

const REASON_MAX = 1000;
/** Findings of one block in the text. */
const LINES_MAX = 10;

/** `verona bucket verify`: reads blocks as a whole, and mends what can be mended without loss. */
export function addVerifyCommand(bucket: Command): void {
  addBucketOptions(
    bucket
      .command('verify')
      .description('read whole blocks: order, checksums, symbols, postings, chunks and counts; repair them'),
  )
    .argument('[ulid...]', 'blocks; without any all that are not marked for deletion')
    .option('--repair', 'write bad blocks anew where that loses nothing, and set the others aside')
    .option('--dry-run', 'with --repair: try every repair here, change nothing in the bucket')
    .addHelpText('after', HELP)
    .action((ulids: string[], given: VerifyOptions) =>
      withBucket(given, async (tool, { json }) => {
        const tenants = await tool.tenants();
        const named = chosenBlocks(tenants, ulids);
        const blocks =
          ulids.length > 0 ? unmarked(named, given) : named.filter(({ marks }) => !marks.deletion);
        const broken = ulids.length > 0 ? [] : [...tenants.values()].flatMap(({ unfinished }) => unfinished);
        const verdicts: Verdict[] = [];
        const tell = (verdict: Verdict) => {
          verdicts.push(verdict);
          if (!json) print(textOf(verdict));
        };
        const progress = newProgress(tool, 'blocks', blocks.map(blockBytes));
        try {
          for (const block of blocks) tell(await verify(tool, block, given, progress));
        } finally {
          progress.close();
        }
        for (const block of broken.filter(({ kind }) => kind === 'corrupted'))
          tell(await setAsideUnread(tool, block, given));
        if (json) print(`${JSON.stringify(verdicts)}\n`);
        conclude(verdicts);
      }),
    );
}

const HELP = `
Exit code: 0 when every block is good or was repaired, 1 when a bad one is left, 2 for a wrong command line.

What --repair does, block by block:
  counts or the list of files in meta.json are wrong   meta.json is put right, at once
  symbols, labels, series or chunks out of order,      a new block is written and read back; it stands in the place of
  series or chunks there twice, chunks that overlap    the old one from then on, which is marked for deletion
  or lie outside of the block's time, bad postings
  bytes that do not decode, missing files              the block is set aside with a quarantine mark that says why

Chunks wholly outside of a block's time are left out of the new one: no query of that time asks this block for them.

Examples:
  verona bucket verify --objstore.config-file bucket.yml --tenant team-a
  verona bucket verify --dir data/bucket --repair --dry-run
  verona bucket verify --dir data/bucket --repair 01HF4D3T000000000000000001
`;

/** What is marked for deletion is not repaired: an earlier run may have put another block in its place. */
function unmarked(blocks: readonly BucketBlock[], { repair }: VerifyOptions): BucketBlock[] {
  return blocks.filter(({ ref, marks }) => {
    const isLeft = repair === true && marks.deletion !== undefined;
    if (isLeft) say(`note: ${ref.folder} is marked for deletion and left alone`);
    return !isLeft;
  });
}

async function verify(
  tool: BucketTool,
  block: BucketBlock,
  options: VerifyOptions,
  progress: Progress,
): Promise<Verdict> {
  const { folder } = block.ref;
  try {
    const report = await examine(tool, block, options, progress);
    const { diagnosis, changes } = report.repair as RepairReport;
    const { findings, notes, remedy, stats } = diagnosis;
    const good = diagnosis.findingCount === 0;
    const counts =
      stats && `${stats.numSeries} series, ${stats.numChunks} chunks, ${stats.numSamples} samples`;
    const seen = {
      folder,
      good,
      findings: told(findings, diagnosis.findingCount),
      notes,
      ...(counts && { counts }),
    };
    if (options.repair !== true || remedy === 'none') return { ...seen, action: 'none', done: false };
    const done = options.dryRun !== true;
    if (remedy === 'meta') return { ...seen, action: 'meta', done, changes };
    const into = report.keepsSources ? undefined : report.outputs[0];
    if (into !== undefined) await markReplaced(tool, block.ref, into);
    return { ...seen, action: 'rewrite', done, changes, ...(into !== undefined && { into }) };
  } catch (error) {
    if (tool.ctx.signal.aborted) throw error;
    const reason = (error as Error).message.slice(0, REASON_MAX);
    const bad = { folder, good: false, findings: [reason], notes: [] };
    if (!(error instanceof BlockFault) || options.repair !== true)
      return { ...bad, action: 'none', done: false };
    return quarantine(tool, block.ref, options, { ...bad, reason });
  }
}

async function examine(
  tool: BucketTool,
  block: BucketBlock,
  { repair, dryRun }: VerifyOptions,
  progress: Progress,
): Promise<JobReport> {
  const { resolutionMs } = block.meta;
  const shape = { kind: 'repair', resolutionMs, shards: 1, replicaLabels: [] } as const;
  const workDir = await mkdtemp(join(tmpdir(), 'verona-verify-'));
  try {
    return await runJob(
      tool.ctx,
      makeJob(block.ref.tenant, [block], [], shape),
      {
        workDir,
        dedup: 'one-to-one',
        source: 'bucket.repair',
        repair: repair !== true ? 'look' : dryRun === true ? 'try' : 'do',
      },
      tool,
      stepTeller(progress, block.ref.folder),
    );
  } finally {
    progress.end();
    await rm(workDir, { recursive: true, force: true });
  }
}

/** From now on the new block covers it; the mark says why. */
function markReplaced(tool: BucketTool, ref: BlockRef, into: string): Promise<void> {
  return new BlockMarker(tool).mark(tool.ctx, ref, 'deletion', {
    details: `repaired: its samples are in ${into}`,
  });
}

async function quarantine(
  tool: BucketTool,
  ref: BlockRef,
  { dryRun }: VerifyOptions,
  verdict: Omit<Verdict, 'action' | 'done'> & { readonly reason: string },
): Promise<Verdict> {
  const hidden = isUnreadable(new Error(verdict.reason));
  const mark = { reason: 'damaged', details: verdict.reason, hidden };
  if (dryRun !== true) await new BlockMarker(tool).quarantine(tool.ctx, ref, mark);
  return { ...verdict, action: 'quarantine', done: dryRun !== true };
}

/** A block whose `meta.json` does not decode: nobody reads it. One of a version to come is left for whoever knows it. */
async function setAsideUnread(
  tool: BucketTool,
  { ref }: UnfinishedBlock,
  options: VerifyOptions,
): Promise<Verdict> {
  const problem = await metaProblem(tool.ctx, tool.bucket, ref);
  const reason = problem ?? `${tool.broken.get(`${ref.folder}/${META_FILE}`) ?? 'it is gone'}; left alone`;
  const bad = { folder: ref.folder, good: false, findings: [reason], notes: [], reason };
  return options.repair === true && problem !== undefined
    ? quarantine(tool, ref, options, bad)
    : { ...bad, action: 'none', done: false };
}

function told(findings: readonly string[], count: number): string[] {
  return count > findings.length ? [...findings, `and ${count - findings.length} more`] : [...findings];
}

/** People read the first; `--json` has more. */
function cut(findings: readonly string[]): string[] {
  const more = findings.length - LINES_MAX;
  return more > 0 ? [...findings.slice(0, LINES_MAX), `… ${more} more lines (--json)`] : [...findings];
}

function textOf({ folder, good, findings, notes, counts, ...rest }: Verdict): string {
  const lines = [
    `${folder} ${good ? 'ok' : 'BAD'}${counts ? ` ${counts}` : ''}`,
    ...cut(findings).map((finding) => `  ${finding}`),
    ...notes.map((note) => `  note: ${note}`),
    ...actionLines(rest),
  ];
  return lines.map((line) => `${oneLine(line)}\n`).join('');
}

function actionLines({
  action,
  done,
  into,
  changes = [],
  reason,
}: Omit<Verdict, 'folder' | 'good' | 'findings' | 'notes'>) {
  const would = done ? '' : 'would be ';
  if (action === 'quarantine') return [`  ${would}set aside: ${reason}`];
  if (action === 'none') return [];
  const what = action === 'meta' ? 'put right' : `repaired${into === undefined ? '' : ` as ${into}`}`;
  return [`  ${would}${what}: ${changes.join('; ')}`];
}

function conclude(verdicts: readonly Verdict[]): void {
  const count = (of: (verdict: Verdict) => boolean) => verdicts.filter(of).length;
  const repaired = count(({ action, done }) => done && (action === 'meta' || action === 'rewrite'));
  const left = count(
    ({ good, action, done }) => !good && !(done && (action === 'meta' || action === 'rewrite')),
  );
  say(`${verdicts.length} blocks: ${count(({ good }) => good)} good, ${repaired} repaired, ${left} bad`);
  if (left > 0) process.exitCode = EXIT.failed;
}
