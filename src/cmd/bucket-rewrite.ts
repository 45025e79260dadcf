import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { BlockMarker } from '../blocks/block-marker.ts';
import { checkSelective, type DeletionRequest } from '../blocks/deletion-request.ts';
import type { BlockRef } from '../blocks/layout.ts';
import { makeJob } from '../compactor/make-job.ts';
import { loadRelabelRules } from '../config/relabel-file.ts';
import { VeronaError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import { Relabeler } from '../model/relabel.ts';
import type { RelabelRule } from '../model/relabel-rule.ts';
import { newUlid } from '../tsdb/block/ulid.ts';
import type { LabelChange } from '../tsdb/compact/sorted-series.ts';
import { blockBytes, blockText, doJob } from './bucket-job.ts';
import {
  addBucketOptions,
  type BucketTool,
  chosenBlocks,
  print,
  say,
  selectorOf,
  withBucket,
} from './bucket-tool.ts';
import type { Progress } from './progress.ts';
import { newProgress } from './tool-progress.ts';

type Given = Readonly<Record<string, unknown>>;

/** What is changed in every block. */
interface Rewriting {
  readonly request: DeletionRequest | undefined;
  readonly change: Relabelling | undefined;
}

/** Rules for labels, and what they do. */
interface Relabelling {
  readonly change: LabelChange;
  readonly relabels: readonly RelabelRule[];
  readonly changeId: string;
}

/** `verona bucket rewrite`: blocks anew, without some series, or with other labels. */
export function addRewriteCommand(bucket: Command): void {
  addBucketOptions(
    bucket
      .command('rewrite')
      .description('write blocks anew without some series, or with other labels on them'),
  )
    .argument('<ulid...>')
    .option('--delete <selector...>', 'series to leave out')
    .option(
      '--min-time <ms>',
      'with --delete: first time that is left out, ms since the epoch',
      String(Number.MIN_SAFE_INTEGER),
    )
    .option('--max-time <ms>', 'with --delete: last time that is left out', String(Number.MAX_SAFE_INTEGER))
    .option(
      '--relabel-config-file <path>',
      "rules for the labels of series, a list in the form of Prometheus' relabel_configs",
    )
    .option('--relabel-config <yaml>', 'the same as text')
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', HELP)
    .action((ulids: string[], given: Given) => {
      const relabelling = changeOf(given);
      const deleted = deletionOf(given);
      if (!relabelling && !deleted)
        throw new VeronaError(
          'bad_data',
          'say what to change with --delete, --relabel-config-file or --relabel-config',
        );
      return withBucket(
        given,
        async (tool, { json }) => {
          const request = deleted && {
            id: newUlid(tool.clock, tool.random),
            timeMs: tool.clock.now(),
            ...deleted,
          };
          const change = relabelling && { ...relabelling, changeId: newUlid(tool.clock, tool.random) };
          const blocks = chosenBlocks(await tool.tenants(), ulids);
          const results: (Rewritten & BlockRef)[] = [];
          const progress = newProgress(tool, 'blocks', blocks.map(blockBytes));
          try {
            for (const block of blocks) {
              const result = await rewrite(tool, block, { request, change }, given.dryRun === true, progress);
              results.push({ ...block.ref, ...result });
              if (json) continue;
              if (result.outcome === WOULD_REWRITE) print(`would rewrite ${blockText(block)}\n`);
              for (const ulid of result.into) print(`${ulid}\n`);
            }
          } finally {
            progress.close();
          }
          if (json) print(`${JSON.stringify(results)}\n`);
          conclude(results);
        },
        { goesOn: true },
      );
    });
}

const HELP = `
The new block stands in the place of the old one at once, which is marked for deletion. A block in which nothing matches --delete
is not written anew, nor one that is marked for deletion. Rules may drop series too; series that are equal after them become one.
Deleting everywhere, also what is in memory and what is yet to come into the bucket, is delete_series of the HTTP API.
Exit code: 0 when all blocks were rewritten, 1 when one was not, 2 for a wrong command line.

Examples:
  verona bucket rewrite 01HF4D3T000000000000000001 --delete '{job="debug"}' --dir data/bucket
  verona bucket rewrite 01HF4D3T000000000000000001 --relabel-config '[{action: labeldrop, regex: pod}]' --dir data/bucket
`;

interface Rewritten {
  readonly outcome: string;
  readonly into: readonly string[];
}

const WOULD_REWRITE = 'would be rewritten';

function conclude(results: readonly Rewritten[]): void {
  const counts = new Map<string, number>();
  for (const { outcome } of results) {
    const [what] = outcome.split(':');
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const parts = [...counts].map(([outcome, count]) => `${count} ${outcome}`);
  say(`${results.length} blocks: ${parts.join(', ')}`);
}

async function rewrite(
  tool: BucketTool,
  block: BucketBlock,
  { request, change }: Rewriting,
  isDry: boolean,
  progress: Progress,
): Promise<Rewritten> {
  const { resolutionMs } = block.meta;
  const shape = { kind: 'rewrite', resolutionMs, shards: 1, replicaLabels: [] } as const;
  const job = makeJob(block.ref.tenant, [block], request ? [request] : [], shape);
  // Also what an earlier run did that was interrupted.
  if (block.marks.deletion) return { outcome: 'marked for deletion, left alone', into: [] };
  if (isDry) return { outcome: WOULD_REWRITE, into: [] };
  const options = { dedup: 'penalty', source: 'bucket.rewrite', ...change } as const;
  const { report, error } = await doJob(tool, job, options, progress);
  if (!report) return { outcome: `FAILED: ${error}`, into: [] };
  if (report.keepsSources) return { outcome: 'nothing to leave out', into: [] };
  await new BlockMarker(tool).mark(tool.ctx, block.ref, 'deletion', { details: 'rewritten by hand' });
  return { outcome: 'rewritten', into: report.outputs };
}

function deletionOf(given: Given): Omit<DeletionRequest, 'id' | 'timeMs'> | undefined {
  if (given.delete === undefined) return undefined;
  const selectors = (given.delete as string[]).map((text) => selectorOf('--delete', text));
  checkSelective(selectors);
  return {
    mint: timeOf('--min-time', given.minTime),
    maxt: timeOf('--max-time', given.maxTime),
    matcherSets: selectors.map((set) => set.map(({ name, type, value }) => ({ name, type, value }))),
  };
}

function changeOf({ relabelConfigFile, relabelConfig }: Given): Omit<Relabelling, 'changeId'> | undefined {
  if (relabelConfigFile !== undefined && relabelConfig !== undefined)
    throw new VeronaError('bad_data', 'give one of --relabel-config-file and --relabel-config');
  if (relabelConfigFile === undefined && relabelConfig === undefined) return undefined;
  const file = String(relabelConfigFile ?? '--relabel-config');
  const text = relabelConfig === undefined ? readRules(file) : String(relabelConfig);
  const rules = loadRelabelRules({ file, text });
  const relabeler = new Relabeler(rules);
  const change: LabelChange = (flat) => {
    const pairs = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]] as const);
    const after = relabeler.apply(Labels.from(pairs));
    // Without any label left it is no series.
    return after && after.flat.length > 0 ? after.flat : undefined;
  };
  return { change, relabels: rules };
}

function readRules(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new VeronaError('bad_data', `cannot read the rules: ${(cause as Error).message}`, { cause });
  }
}

function timeOf(name: string, text: unknown): number {
  const ms = /^-?\d{1,16}$/.test(String(text)) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(ms))
    throw new VeronaError('bad_data', `${name}: not ms since the epoch: ${JSON.stringify(text)}`);
  return ms;
}
