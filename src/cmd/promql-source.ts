import { parseMeta } from '../blocks/meta.ts';
import { WasmHeadMemory } from '../kernel/wasm-head-memory.ts';
import { VeronaError } from '../model/errors.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { OverlayDisk } from '../platform/overlay-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import type { Features, QueryOptions } from '../promql/query-options.ts';
import { Answerer } from '../query/answer.ts';
import type { QueryJob } from '../query/jobs.ts';
import { mergeQueriers } from '../storage/merge.ts';
import { namedQuerier } from '../storage/named-querier.ts';
import type { Querier, Queryable } from '../storage/querier.ts';
import { tellingShortRanges } from '../store-gateway/by-request.ts';
import { chooseBlocks, type HasMeta, haveWindowsToAdd } from '../store-gateway/choose-blocks.ts';
import { within } from '../store-gateway/within.ts';
import { Block } from '../tsdb/block/block.ts';
import { META_FILE, readMeta } from '../tsdb/block/meta.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';
import { Db } from '../tsdb/db.ts';
import { withAddedWindows } from '../tsdb/downsample/add-windows.ts';
import { withoutAggregates } from '../tsdb/downsample/aggregate-querier.ts';
import { blocksIn, type FoundBlock } from '../tsdb/tools/blocks-in.ts';
import type { ApiEnvelope } from './promql-output.ts';

type Question = Extract<QueryJob, { kind: 'instant' | 'range' }>;

export interface SourceOptions {
  readonly tenant: string;
  readonly headers: readonly string[];
  readonly timeoutMs: number;
  readonly features: Features;
  readonly lookbackDeltaMs: number;
}

/** Where the command line asks: a server, or a folder. */
export interface PromqlSource {
  ask(question: Question): Promise<ApiEnvelope>;
  /** Time of the newest sample, ms, where it is known without asking. */
  readonly newestMs: number | undefined;
  close(): Promise<void>;
}

const CACHE_BYTES = 64 * 1024 * 1024;
const NO_LIMITS = { samplesMax: 0, seriesMax: 0, mint: Number.NEGATIVE_INFINITY };

/** `source` is a URL, a data directory (Verona's or Prometheus'), a folder of blocks, or a block. */
export async function openSource(source: string, options: SourceOptions): Promise<PromqlSource> {
  return /^https?:\/\//.test(source) ? new ServerSource(source, options) : FolderSource.open(source, options);
}

class ServerSource implements PromqlSource {
  readonly newestMs = undefined;
  readonly #url: string;
  readonly #options: SourceOptions;

  constructor(url: string, options: SourceOptions) {
    this.#url = url.replace(/\/+$/, '');
    this.#options = options;
  }

  async ask(question: Question): Promise<ApiEnvelope> {
    const path = question.kind === 'instant' ? '/api/v1/query' : '/api/v1/query_range';
    const response = await this.#post(path, formOf(question));
    const text = await response.text();
    try {
      return JSON.parse(text) as ApiEnvelope;
    } catch {
      throw new VeronaError(
        'execution',
        `${this.#url}${path} answered ${response.status} with something that is no JSON: ${JSON.stringify(text.slice(0, 200))}`,
      );
    }
  }

  async close(): Promise<void> {}

  async #post(path: string, form: URLSearchParams): Promise<Response> {
    const { tenant, headers, timeoutMs } = this.#options;
    const given = headers.map((header): [string, string] => {
      const at = header.indexOf(':');
      if (at < 1)
        throw new VeronaError('bad_data', `--header ${JSON.stringify(header)}: write it as name: value`);
      return [header.slice(0, at).trim(), header.slice(at + 1).trim()];
    });
    const sent = new Headers([
      ...(tenant === '' ? [] : [['X-Scope-OrgID', tenant] as [string, string]]),
      ...given,
    ]);
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      return await fetch(this.#url + path, { method: 'POST', body: form, headers: sent, signal });
    } catch (cause) {
      const reason = (cause as Error).cause ?? cause;
      throw new VeronaError('execution', `ask ${this.#url}: ${(reason as Error).message}`, { cause });
    }
  }
}

function formOf(question: Question): URLSearchParams {
  const form = new URLSearchParams({ query: question.query });
  const seconds = (ms: number) => String(ms / 1000);
  if (question.kind === 'instant') form.set('time', seconds(question.timeMs));
  else {
    form.set('start', seconds(question.startMs));
    form.set('end', seconds(question.endMs));
    form.set('step', seconds(question.stepMs));
  }
  if (question.lookbackDeltaMs > 0) form.set('lookback_delta', seconds(question.lookbackDeltaMs));
  if (question.limit > 0) form.set('limit', String(question.limit));
  if (question.analyze) form.set('analyze', 'true');
  return form;
}

/** Evaluates here, over files that are only read: whoever owns the folder may be running. */
class FolderSource implements PromqlSource {
  readonly newestMs: number | undefined;
  readonly #queryable: Queryable;
  readonly #spacingOf: QueryOptions['spacingOf'];
  readonly #answerer: Answerer;
  readonly #options: SourceOptions;
  readonly #close: () => Promise<void>;

  private constructor(opened: OpenedFolder, options: SourceOptions) {
    const { features, lookbackDeltaMs, timeoutMs } = options;
    this.newestMs = opened.newestMs;
    this.#queryable = opened.queryable;
    this.#spacingOf = opened.spacingOf;
    this.#close = opened.close;
    this.#options = options;
    this.#answerer = new Answerer({ clock: new SystemClock(), features, timeoutMs }, lookbackDeltaMs);
  }

  static async open(dir: string, options: SourceOptions): Promise<FolderSource> {
    return new FolderSource(await openFolder(dir.replace(/\/+$/, ''), options.tenant), options);
  }

  async ask(question: Question): Promise<ApiEnvelope> {
    // The pauses of a query do not keep a process that has nothing else to do.
    const alive = setInterval(() => {}, this.#options.timeoutMs);
    try {
      const signal = AbortSignal.timeout(this.#options.timeoutMs);
      const { parts } = await this.#answerer.answer(question, NO_LIMITS, this.#queryable, signal, 0, {
        spacingOf: this.#spacingOf,
      });
      return JSON.parse(Buffer.concat(parts).toString()) as ApiEnvelope;
    } catch (error) {
      if (!(error instanceof VeronaError)) throw error;
      return { status: 'error', errorType: error.code, error: error.message };
    } finally {
      clearInterval(alive);
    }
  }

  close(): Promise<void> {
    return this.#close();
  }
}

interface OpenedFolder {
  readonly queryable: Queryable;
  readonly spacingOf?: QueryOptions['spacingOf'];
  readonly newestMs: number | undefined;
  readonly close: () => Promise<void>;
}

/** All that a folder holds of a tenant; of Verona's data folder the tenant's own directory and its default bucket. */
async function openFolder(dir: string, tenant: string): Promise<OpenedFolder> {
  const disk = new OverlayDisk(new NodeDisk());
  if (!(await disk.stat(dir))?.isDirectory) throw new VeronaError('not_found', `${dir} is no folder`);
  const name = tenant || 'anonymous';
  const opened: OpenedFolder[] = [];
  for (const candidate of [`${dir}/bucket/${name}`, `${dir}/tsdb/${name}`, `${dir}/${name}`, dir]) {
    const found = await openCandidate(disk, candidate);
    if (found) opened.push(found);
  }
  if (opened.length > 0) return together(opened);
  throw new VeronaError(
    'not_found',
    `${dir}: no data directory and no blocks here${await tenantsOf(disk, dir)}`,
  );
}

async function openCandidate(disk: OverlayDisk, dir: string): Promise<OpenedFolder | undefined> {
  if (await disk.stat(`${dir}/wal`)) return openDirectory(disk, dir);
  if (await disk.stat(`${dir}/${META_FILE}`))
    return openBlocks(disk, [{ dir, meta: await readMeta(disk, dir) }]);
  const blocks = await blocksIn(disk, dir);
  return blocks.length > 0 ? openBlocks(disk, blocks) : undefined;
}

function together(opened: readonly OpenedFolder[]): OpenedFolder {
  if (opened.length === 1) return opened[0];
  return {
    queryable: {
      querier: async (mint, maxt) =>
        mergeQueriers(await Promise.all(opened.map(({ queryable }) => queryable.querier(mint, maxt)))),
    },
    newestMs: Math.max(...opened.map(({ newestMs }) => newestMs ?? Number.NEGATIVE_INFINITY)),
    close: async () => {
      await Promise.all(opened.map(({ close }) => close()));
    },
  };
}

/** Names of folders that may be tenants, for a message. */
async function tenantsOf(disk: OverlayDisk, dir: string): Promise<string> {
  const inData = await disk.list(`${dir}/tsdb`);
  const some = inData.slice(0, 10).map(({ name }) => JSON.stringify(name));
  return some.length === 0 ? '' : `; --tenant may be one of ${some.join(', ')}`;
}

/** Blocks as a store gateway reads them: raw ones first, downsampled ones where there are no others. */
async function openBlocks(disk: OverlayDisk, found: readonly FoundBlock[]): Promise<OpenedFolder> {
  const pages = new PageCache(CACHE_BYTES);
  const opened = new Map<string, Block>();
  const metas: HasMeta[] = [];
  for (const { dir } of found) {
    const block = await Block.open(disk, dir, pages);
    const path = `${dir}/${META_FILE}`;
    metas.push({ meta: parseMeta(await disk.readFile(path), path, block.meta.ulid) });
    opened.set(block.meta.ulid, block);
  }
  const blocks = [...opened.values()];
  const wish = { maxMs: Number.POSITIVE_INFINITY, preferRaw: true };
  const choose = (mint: number, maxt: number) => chooseBlocks(metas, mint, maxt, new Set(), wish);
  return {
    spacingOf: (mint, maxt) => Math.max(0, ...choose(mint, maxt).map(({ block }) => block.meta.resolutionMs)),
    queryable: {
      querier: async (mint, maxt) => {
        const chosen = choose(mint, maxt);
        const queriers = chosen.map(async (part) => {
          const block = opened.get(part.block.meta.ulid) as Block;
          return within(named(block, await block.querier(part.mint, part.maxt)), part);
        });
        const merged = mergeQueriers(await Promise.all(queriers));
        const joined = haveWindowsToAdd(chosen) ? withAddedWindows(merged) : merged;
        return withoutAggregates(tellingShortRanges(joined, chosen, wish));
      },
    },
    newestMs: Math.max(...blocks.map(({ meta }) => meta.maxTime - 1)),
    close: async () => {
      await Promise.all(blocks.map((block) => block.close()));
    },
  };
}

function named(block: Block, querier: Querier): Querier {
  return namedQuerier(`block ${block.meta.ulid}`, querier);
}

/** A directory with a write-ahead log: its repair, if any, happens in memory. */
async function openDirectory(disk: OverlayDisk, dir: string): Promise<OpenedFolder> {
  const db = await Db.open({
    disk,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLogger,
    metrics: new Metrics(),
    dir,
    newMemory: (options) => new WasmHeadMemory({ ...options, hashSeed: 1 }),
    pageCache: new PageCache(CACHE_BYTES),
    maintenanceIntervalMs: 0,
  });
  const inBlocks = db.blocks.map(({ block }) => block.meta.maxTime - 1);
  const newest = Math.max(db.head.store.timeRange().maxt, ...inBlocks);
  return {
    queryable: db,
    newestMs: Number.isFinite(newest) ? newest : undefined,
    close: () => db.close(),
  };
}
