import { type Command, InvalidArgumentError } from 'commander';
import { VeronaError } from '../model/errors.ts';
import { SystemClock } from '../platform/clock.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import { parseMatchers } from '../promql/parser/parse.ts';
import { Block } from '../tsdb/block/block.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';
import { analyzeBlock } from '../tsdb/tools/analyze.ts';
import { blocksIn } from '../tsdb/tools/blocks-in.ts';
import { createBlocksFromOpenMetrics } from '../tsdb/tools/create-blocks.ts';
import { dumpBlock } from '../tsdb/tools/dump.ts';
import { listBlocks } from '../tsdb/tools/list.ts';
import { verifyBlocks } from '../tsdb/tools/verify.ts';
import { EXIT } from './exit.ts';

const CACHE_BYTES = 64 * 1024 * 1024;
const disk = new NodeDisk();

/** `verona tsdb …`: look at and make blocks in a data directory (`<data>/tsdb/<tenant>`, or a Prometheus one). */
export function addTsdbCommand(program: Command): void {
  const tsdb = program
    .command('tsdb')
    .description('list, analyze, dump, verify and create blocks in a data directory');
  tsdb
    .command('list')
    .description('a table of the blocks')
    .argument('<dir>', 'the data directory of a tenant, or of a Prometheus')
    .option('-r, --human-readable', 'times and sizes for people')
    .action(async (dir: string, options: { humanReadable?: boolean }) => {
      await checkDir(dir);
      const { text, good } = await listBlocks(disk, dir, options.humanReadable);
      process.stdout.write(text);
      if (!good) process.exitCode = EXIT.failed;
    });
  tsdb
    .command('analyze')
    .description('which labels and metrics make a block large')
    .argument('<dir>')
    .argument('[ulid]', 'the block; without it the newest one')
    .option('--limit <n>', 'lines of each list', wholeNumber, 20)
    .action((dir: string, ulid: string | undefined, options: { limit: number }) =>
      withBlock(dir, ulid, async (block) => {
        process.stdout.write(await analyzeBlock(block, options.limit));
      }),
    );
  tsdb
    .command('dump')
    .description('samples of the blocks as text, one a line: {labels} value time')
    .argument('<dir>')
    .option('--match <selector>', 'series selector', '{__name__=~"(?s:.*)"}')
    .option('--min-time <ms>', 'first time, ms since the epoch', wholeNumber, Number.MIN_SAFE_INTEGER)
    .option('--max-time <ms>', 'last time, ms since the epoch', wholeNumber, Number.MAX_SAFE_INTEGER)
    .action(dump);
  tsdb
    .command('verify')
    .description(
      'check order, checksums, symbols and counts of every block; exit code 1 when something is wrong',
    )
    .argument('<dir>')
    .action(async (dir: string) => {
      await checkDir(dir);
      const { text, good } = await verifyBlocks(disk, dir);
      process.stdout.write(text);
      if (!good) process.exitCode = EXIT.failed;
    });
  addCreateBlocks(tsdb);
}

function addCreateBlocks(tsdb: Command): void {
  const create = tsdb.command('create-blocks-from').description('make blocks out of other formats');
  create
    .command('openmetrics')
    .description('make blocks of two hours out of OpenMetrics text with timestamps')
    .argument('<input>', 'the text file')
    .argument('[output]', 'the data directory to put them in', 'data')
    .action(async (inputPath: string, outputDir: string) => {
      if ((await disk.stat(inputPath)) === undefined)
        throw new VeronaError('not_found', `${inputPath}: no such file`);
      const metas = await createBlocksFromOpenMetrics({
        disk,
        clock: new SystemClock(),
        random: new SystemRandom(),
        inputPath,
        outputDir,
      });
      process.stdout.write((await listBlocks(disk, outputDir, true)).text);
      process.stderr.write(`${metas.length} blocks made in ${outputDir}\n`);
    });
}

async function dump(
  dir: string,
  options: { match: string; minTime: number; maxTime: number },
): Promise<void> {
  await checkDir(dir);
  const request = {
    matchers: parseMatchers(options.match),
    mint: options.minTime,
    maxt: options.maxTime,
    signal: new AbortController().signal,
  };
  for (const { dir: blockDir } of await blocksIn(disk, dir)) {
    const block = await Block.open(disk, blockDir, new PageCache(CACHE_BYTES));
    try {
      for await (const text of dumpBlock(block, request)) await write(text);
    } finally {
      await block.close();
    }
  }
}

async function checkDir(dir: string): Promise<void> {
  if (!(await disk.stat(dir))?.isDirectory) throw new VeronaError('not_found', `${dir}: no such directory`);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('not a whole number');
  return value;
}

/** Waits for a slow reader of a pipe, so that a dump needs no memory. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

async function withBlock(
  dir: string,
  ulid: string | undefined,
  use: (block: Block) => Promise<void>,
): Promise<void> {
  await checkDir(dir);
  const found = await blocksIn(disk, dir);
  const chosen = ulid === undefined ? found.at(-1) : found.find(({ meta }) => meta.ulid === ulid);
  if (!chosen)
    throw new VeronaError(
      'not_found',
      `${dir}: no block${ulid === undefined ? '' : ` ${ulid}`}; verona tsdb list shows them`,
    );
  const block = await Block.open(disk, chosen.dir, new PageCache(CACHE_BYTES));
  try {
    await use(block);
  } finally {
    await block.close();
  }
}
