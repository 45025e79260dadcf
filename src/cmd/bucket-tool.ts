import { readFileSync, statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { BlockCatalog, type BucketBlock, type TenantBlocks } from '../blocks/block-catalog.ts';
import type { BlockRef } from '../blocks/layout.ts';
import { loadBucketOptions } from '../config/objstore.ts';
import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { openBucket } from '../objstore/open-bucket.ts';
import { StoreCounts } from '../objstore/store-counts.ts';
import { SystemClock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import { parseMatchers } from '../promql/parser/parse.ts';
import { checkTenantId } from '../tenancy/tenant-id.ts';
import { isUlid } from '../tsdb/block/ulid.ts';
import { rootTenancy } from './catalog-options.ts';
import { CLEAR_LINE } from './progress.ts';
import { forEachNamed } from './tool-progress.ts';

/** Options that every `verona bucket` command takes. */
export interface BucketToolOptions {
  readonly configFile?: string;
  readonly config?: string;
  readonly dir?: string;
  readonly tenant?: string;
  readonly thanosTenantLabel: string;
  readonly thanosTenant: string;
  readonly json?: boolean;
}

/** An open bucket with what commands need around it. */
export interface BucketTool {
  readonly ctx: BucketContext;
  readonly bucket: Bucket;
  readonly catalog: BlockCatalog;
  readonly clock: SystemClock;
  readonly disk: NodeDisk;
  readonly random: SystemRandom;
  readonly log: Logger;
  /** What this command asks of every bucket that it opens. */
  readonly counts: StoreCounts;
  /** What is wrong with small files that were read so far, by key: `meta.json`, marks, deletion requests. */
  readonly broken: ReadonlyMap<string, string>;
  /** Every tenant that was asked for, with all its blocks as they are now. */
  tenants(): Promise<ReadonlyMap<string, TenantBlocks>>;
}

export function addBucketOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--objstore.config-file <path>',
        "the bucket, in the form of Thanos' objstore.yml",
      ).argParser(String),
    )
    .addOption(new Option('--objstore.config <yaml>', 'the same as text'))
    .addOption(new Option('--dir <path>', 'a bucket in a folder, instead of a configuration'))
    .addOption(new Option('--tenant <name>', 'only this tenant'))
    .addOption(
      new Option(
        '--thanos-tenant-label <name>',
        "the external label that names the tenant of blocks in Thanos' layout",
      ).default(''),
    )
    .addOption(
      new Option('--thanos-tenant <name>', "the tenant of blocks in Thanos' layout that lack it").default(''),
    )
    .addOption(new Option('--json', 'print JSON'));
}

/**
 * Runs a command with the bucket that its options name, and closes it. The first SIGINT (Ctrl-C) or SIGTERM ends what is under
 * way and removes what it had on this disk; a second one ends the process.
 */
export async function withBucket(
  given: Readonly<Record<string, unknown>>,
  use: (tool: BucketTool, options: BucketToolOptions) => Promise<void>,
  { mayCreate = false, goesOn = false }: WithBucketOptions = {},
): Promise<void> {
  const options = toolOptions(given);
  if (options.dir && !mayCreate && !statSync(options.dir, { throwIfNoEntry: false })?.isDirectory())
    throw new VeronaError('bad_data', `--dir ${JSON.stringify(options.dir)} is no folder`);
  const controller = new AbortController();
  const stop = () => controller.abort(new VeronaError('canceled', 'interrupted'));
  for (const signal of STOP_SIGNALS) process.once(signal, stop);
  const counts = new StoreCounts();
  const bucket = await openNamed(options, counts);
  try {
    await use(toolOf(bucket, counts, controller.signal, options), options);
  } catch (error) {
    if (controller.signal.aborted)
      throw new VeronaError('canceled', goesOn ? `interrupted; ${GOES_ON}` : 'interrupted', { cause: error });
    throw error;
  } finally {
    for (const signal of STOP_SIGNALS) process.removeListener(signal, stop);
    await bucket.close();
  }
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const GOES_ON = 'what was done stays, and the same command goes on with the rest';

interface WithBucketOptions {
  /** A folder that is not there yet is a bucket that is empty. */
  readonly mayCreate?: boolean;
  /** Whether the same command does only the rest after it was interrupted. */
  readonly goesOn?: boolean;
}

/** The bucket that a file, a text or a folder names; exactly one of them. Throws `bad_data`. */
export async function openNamed(
  { configFile, config, dir }: Pick<BucketToolOptions, 'configFile' | 'config' | 'dir'>,
  counts: StoreCounts,
  flags: readonly [configFile: string, config: string, dir: string] = [
    '--objstore.config-file',
    '--objstore.config',
    '--dir',
  ],
): Promise<Bucket> {
  const given = [configFile, config, dir].filter((value) => value !== undefined && value !== '');
  if (given.length !== 1)
    throw new VeronaError('bad_data', `name the bucket with one of ${flags[0]}, ${flags[1]} and ${flags[2]}`);
  const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom(), counts };
  if (dir) return openBucket({ type: 'FILESYSTEM', config: { directory: dir } }, machine);
  const source = configFile
    ? { file: configFile, text: readFile(configFile) }
    : { file: flags[1], text: config ?? '' };
  return openBucket(loadBucketOptions(source, process.env), machine);
}

/** The whole block of a name, whoever has it. Throws `not_found`. */
export function findBlock(tenants: ReadonlyMap<string, TenantBlocks>, ulid: string): BucketBlock {
  for (const { whole } of tenants.values()) {
    const block = whole.find(({ ref }) => ref.ulid === ulid);
    if (block) return block;
  }
  throw new VeronaError(
    'not_found',
    `no whole block ${JSON.stringify(ulid.slice(0, 30))}; verona bucket ls shows them`,
  );
}

/** As `findBlock`, also one that is not whole, as long as it is known whose it is. Throws `not_found`. */
export function findAnyBlock(tenants: ReadonlyMap<string, TenantBlocks>, ulid: string): BlockRef {
  for (const { unfinished } of tenants.values()) {
    const block = unfinished.find(({ ref }) => ref.ulid === ulid);
    if (block) return block.ref;
  }
  return findBlock(tenants, ulid).ref;
}

/** Every block named, or all of them. */
export function chosenBlocks(
  tenants: ReadonlyMap<string, TenantBlocks>,
  ulids: readonly string[],
): BucketBlock[] {
  if (ulids.length > 0) return ulids.map((ulid) => findBlock(tenants, ulid));
  return [...tenants.values()].flatMap(({ whole }) => whole);
}

/** A duration on the command line, ms. Throws `bad_data`. */
export function durationOf(flag: string, text: unknown): number {
  const ms = parseDuration(String(text));
  if (ms === undefined)
    throw new VeronaError(
      'bad_data',
      `${flag}: not a duration: ${JSON.stringify(text)}; write for example 12h`,
    );
  return ms;
}

/** A whole number on the command line. Throws `bad_data`. */
export function countOf(flag: string, text: unknown): number {
  if (!/^\d{1,15}$/.test(String(text)))
    throw new VeronaError('bad_data', `${flag}: not a whole number: ${JSON.stringify(text)}`);
  return Number(text);
}

/** A selector on the command line. Throws `bad_data`. */
export function selectorOf(flag: string, text: string): readonly Matcher[] {
  try {
    return parseMatchers(text);
  } catch (cause) {
    throw new VeronaError('bad_data', `${flag}: ${(cause as Error).message}`, { cause });
  }
}

/** What goes wrong on the way is told on standard error, so that standard output stays what was asked for. */
export const toolLog: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message, fields) => say(`warning: ${message} ${JSON.stringify(fields ?? {})}`),
  error: (message, fields) => say(`error: ${message} ${JSON.stringify(fields ?? {})}`),
  child: () => toolLog,
};

/** A line for the person at the keyboard. */
export function say(line: string): void {
  clearLine();
  process.stderr.write(`${line}\n`);
}

/** A line of progress may stand where the next text goes. */
function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
}

/** Text from a bucket on one line of a terminal: what would move the cursor is replaced. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, '\ufffd');
}

export function print(text: string): void {
  clearLine();
  process.stdout.write(text);
}

function toolOf(
  bucket: Bucket,
  counts: StoreCounts,
  signal: AbortSignal,
  options: BucketToolOptions,
): BucketTool {
  const clock = new SystemClock();
  const ctx = { signal };
  const broken = new Map<string, string>();
  const log: Logger = {
    ...toolLog,
    warn: (message, fields) => {
      if (typeof fields?.key === 'string' && typeof fields.error === 'string')
        broken.set(fields.key, fields.error);
      toolLog.warn(message, fields);
    },
  };
  const catalog = new BlockCatalog(
    {
      ignoreDeletionMarksDelayMs: Number.POSITIVE_INFINITY,
      ...rootTenancy(options.thanosTenantLabel, options.thanosTenant),
    },
    { bucket, clock, log, metrics: new Metrics() },
  );
  const tenants = async () => {
    const names = options.tenant === undefined ? await catalog.tenants(ctx) : [checkTenantId(options.tenant)];
    const views = new Map<string, TenantBlocks>();
    await forEachNamed(
      tool,
      'tenants',
      names.map((name) => [`listing blocks of ${name}`, name]),
      async (name) => void views.set(name, await catalog.refresh(ctx, name, { full: true })),
    );
    if (options.tenant !== undefined && !catalog.knownTenants.includes(options.tenant))
      say(`note: tenant ${options.tenant} has no blocks here`);
    if (options.tenant === undefined && !options.thanosTenantLabel && !options.thanosTenant)
      await tellUnowned(ctx, bucket);
    return views;
  };
  const tool: BucketTool = {
    ctx,
    bucket,
    counts,
    catalog,
    clock,
    disk: new NodeDisk(),
    random: new SystemRandom(),
    log,
    broken,
    tenants,
  };
  return tool;
}

/** Blocks in Thanos' layout are nobody's until an option says whose; a person who wonders where they are is told. */
async function tellUnowned(ctx: BucketContext, bucket: Bucket): Promise<void> {
  let count = 0;
  for await (const { kind, key } of bucket.list(ctx, ''))
    if (kind === 'folder' && isUlid(key.slice(0, -1))) count++;
  if (count > 0)
    say(
      `note: ${count} blocks in Thanos' layout are left out: say whose they are with --thanos-tenant-label or --thanos-tenant`,
    );
}

function toolOptions(given: Readonly<Record<string, unknown>>): BucketToolOptions {
  const text = (name: string) => given[name] as string | undefined;
  return {
    configFile: text('objstore.configFile'),
    config: text('objstore.config'),
    dir: text('dir'),
    tenant: text('tenant'),
    thanosTenantLabel: text('thanosTenantLabel') ?? '',
    thanosTenant: text('thanosTenant') ?? '',
    json: given.json === true,
  };
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new VeronaError('bad_data', `cannot read the bucket's configuration: ${(cause as Error).message}`, {
      cause,
    });
  }
}
