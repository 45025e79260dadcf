import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { coveredBlocks } from '../blocks/covered-blocks.ts';
import { CHUNKS_FOLDER, INDEX_FILE } from '../blocks/layout.ts';
import { downloadBlock, FILES_WITHOUT_CHUNKS } from '../compactor/download.ts';
import { VeronaError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import { parseTime } from '../query/params.ts';
import { analyzeBlocks, type CardinalityLine, type CardinalityReport } from '../tsdb/tools/analyze-blocks.ts';
import { alignColumns, readableBytes } from '../tsdb/tools/list.ts';
import {
  addBucketOptions,
  type BucketTool,
  chosenBlocks,
  oneLine,
  print,
  say,
  selectorOf,
  withBucket,
} from './bucket-tool.ts';
import { newProgress } from './tool-progress.ts';

interface AnalyzeOptions extends Record<string, unknown> {
  readonly top: string;
  readonly match?: string;
  readonly from?: string;
  readonly until?: string;
}

/** Blocks whose series are told apart by the same external labels, of one tenant. */
interface Group {
  readonly tenant: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly blocks: readonly BucketBlock[];
}

/** Blocks read side by side: each holds a file and some memory. */
const BLOCKS_MAX = 256;
const TOP_MAX = 100_000;

/** `verona bucket analyze`: which metrics, labels and values make the series, the churn and the bytes of blocks. */
export function addAnalyzeCommand(bucket: Command): void {
  addBucketOptions(
    bucket
      .command('analyze')
      .description('which metrics, labels and values make the series, the churn and the bytes of blocks'),
  )
    .argument('[ulid...]', 'blocks; without any all raw ones that queries read')
    .option('--from <time>', 'only blocks that end later: RFC 3339, or seconds since the epoch')
    .option('--until <time>', 'only blocks that begin earlier')
    .option('--match <selector>', 'only series that it selects')
    .option('--top <n>', 'lines of each list', '20')
    .addHelpText('after', HELP)
    .action((ulids: string[], given: AnalyzeOptions) => {
      const top = topOf(given.top);
      const accepts = acceptsOf(given.match);
      const [from, until] = [timeOf('--from', given.from), timeOf('--until', given.until)];
      return withBucket(given, async (tool, { json }) => {
        const tenants = await tool.tenants();
        const named = chosenBlocks(tenants, ulids);
        const blocks = ulids.length > 0 ? named : readable(named);
        const inTime = blocks.filter(
          ({ meta }) => meta.maxt > (from ?? -Infinity) && meta.mint < (until ?? Infinity),
        );
        const results: object[] = [];
        for (const group of groupsOf(inTime)) {
          const report = await analyze(tool, group, top, accepts);
          results.push({ ...about(group), ...report });
          if (!json) print(textOf(group, report));
        }
        if (json) print(`${JSON.stringify(results)}\n`);
        else if (results.length === 0) say('no blocks');
      });
    });
}

const HELP = `
Indexes are fetched, chunks are not. Blocks of one tenant and of the same external labels are counted together: a series that
is in several of them counts once. CHURN sums up, over the series, which part of the time each was not there: 0 when all
live as long as the blocks, as much as SERIES when they come and go.

Examples:
  verona bucket analyze --dir data/bucket --tenant team-a
  verona bucket analyze --objstore.config-file bucket.yml --from 2026-11-01T00:00:00Z --match '{job="api"}' --json
`;

/** Raw, not marked for deletion, not set aside, and not held by another block as well. */
function readable(blocks: readonly BucketBlock[]): BucketBlock[] {
  const present = blocks.filter(
    ({ marks, meta }) => !marks.deletion && !marks.quarantine && meta.resolutionMs === 0,
  );
  return [...Map.groupBy(present, ({ ref }) => ref.tenant).values()].flatMap((own) => {
    const covered = coveredBlocks(own.map(({ meta }) => meta));
    return own.filter(({ meta }) => !covered.has(meta.ulid));
  });
}

function groupsOf(blocks: readonly BucketBlock[]): Group[] {
  const keyOf = ({ ref, seriesLabels = {} }: BucketBlock) =>
    JSON.stringify([ref.tenant, Object.entries(seriesLabels).sort()]);
  const groups = [...Map.groupBy(blocks, keyOf).values()];
  return groups.map((own) => {
    if (own.length > BLOCKS_MAX)
      throw new VeronaError(
        'bad_data',
        `${own.length} blocks of tenant ${own[0].ref.tenant}, at most ${BLOCKS_MAX} are read side by side; choose some with --from and --until`,
      );
    return { tenant: own[0].ref.tenant, labels: own[0].seriesLabels ?? {}, blocks: own };
  });
}

async function analyze(
  tool: BucketTool,
  { blocks }: Group,
  top: number,
  accepts: ((labels: readonly string[]) => boolean) | undefined,
): Promise<CardinalityReport> {
  const workDir = await mkdtemp(join(tmpdir(), 'verona-analyze-'));
  const progress = newProgress(
    tool,
    'blocks',
    blocks.map(({ sizes }) => sizes.get(INDEX_FILE) ?? 0),
  );
  try {
    for (const block of blocks) {
      progress.begin(`fetching the index of ${block.ref.folder}`, 'read');
      await downloadBlock(
        tool.ctx,
        tool.bucket,
        tool.disk,
        block,
        `${workDir}/${block.ref.ulid}`,
        FILES_WITHOUT_CHUNKS,
      );
      progress.end();
    }
    progress.begin('reading the indexes side by side');
    const analyzed = blocks.map(({ ref, sizes }) => ({
      dir: `${workDir}/${ref.ulid}`,
      chunkFileBytes: chunkFileBytes(sizes),
    }));
    return await analyzeBlocks({ disk: tool.disk, blocks: analyzed, top, accepts, signal: tool.ctx.signal });
  } finally {
    progress.close();
    await rm(workDir, { recursive: true, force: true });
  }
}

function chunkFileBytes(sizes: ReadonlyMap<string, number>): number[] {
  return [...sizes]
    .filter(([path]) => path.startsWith(`${CHUNKS_FOLDER}/`))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, size]) => size);
}

function about({ tenant, labels, blocks }: Group) {
  return {
    tenant,
    externalLabels: labels,
    blocks: blocks.map(({ ref }) => ref.ulid),
    mint: Math.min(...blocks.map(({ meta }) => meta.mint)),
    maxt: Math.max(...blocks.map(({ meta }) => meta.maxt)),
  };
}

function textOf(group: Group, report: CardinalityReport): string {
  const { tenant, blocks, mint, maxt, externalLabels } = about(group);
  const external = Object.entries(externalLabels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const head = [
    `${tenant}${external.length > 0 ? ` {${oneLine(external.join(', '))}}` : ''}: ${blocks.length} blocks, ${new Date(mint).toISOString()} … ${new Date(maxt).toISOString()}`,
    `${report.series} series, ${report.labelNames} label names, ${report.labelPairs} label pairs, ${report.chunks} chunks of ${readableBytes(report.bytes)}, churn ${report.churn}`,
  ];
  const sections: [string, readonly CardinalityLine[]][] = [
    ['METRIC', report.metrics],
    ['LABEL', report.labels],
    ['PAIR', report.pairs],
  ];
  const tables = sections.map(([title, lines]) =>
    alignColumns([
      [title, 'VALUES', 'SERIES', 'CHURN', 'CHUNKS', 'BYTES'],
      ...lines.map(({ name, values, series, churn, chunks, bytes }) => [
        plainText(name),
        ...[values, series, churn, chunks].map(String),
        readableBytes(bytes),
      ]),
    ]),
  );
  return `${[...head, ...tables].join('\n')}\n`;
}

/** On one line, and not endless. */
function plainText(name: string): string {
  return oneLine(name).slice(0, 100);
}

function acceptsOf(text: string | undefined): ((labels: readonly string[]) => boolean) | undefined {
  if (text === undefined) return undefined;
  const matchers = selectorOf('--match', text);
  return (labels) => matchers.every((matcher) => matcher.matches(labelValue(labels, matcher)));
}

function labelValue(labels: readonly string[], { name }: Matcher): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1];
  return '';
}

function topOf(text: string): number {
  const top = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (top < 1 || top > TOP_MAX)
    throw new VeronaError('bad_data', `--top: not 1 … ${TOP_MAX}: ${JSON.stringify(text)}`);
  return top;
}

function timeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseTime(text);
  if (ms === undefined)
    throw new VeronaError(
      'bad_data',
      `${name}: not RFC 3339 or seconds since the epoch: ${JSON.stringify(text)}`,
    );
  return ms;
}
