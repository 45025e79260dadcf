import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BlockCatalog } from '../blocks/block-catalog.ts';
import { Shipper } from '../blocks/shipper.ts';
import { decodeLabels } from '../encoding/label-bytes.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';
import { CALM, collect } from '../objstore/acceptance.ts';
import { FilesystemBucket } from '../objstore/filesystem-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import { mergeQueriers } from '../storage/merge.ts';
import type { Querier, SelectRequest } from '../storage/querier.ts';
import { Block } from '../tsdb/block/block.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';
import { StoreGateway } from './store-gateway.ts';

/** Blocks on the local disk, shipped from there, and read from both sides. */

const T0 = 1_700_006_400_000;
const END = T0 + 4 * 3_600_000;
const TESTDATA = join(import.meta.dirname, 'testdata');
const deps = {
  disk: new NodeDisk(),
  clock: new SystemClock(),
  random: new SystemRandom(),
  log: silentLogger,
};

let dir: string;
let local: Block[];
let gateway: StoreGateway;
let listed: ReturnType<BlockCatalog['blocks']>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'verona-seam-'));
  const ulids = readdirSync(TESTDATA).filter((name) => !name.endsWith('.md'));
  for (const ulid of ulids) {
    mkdirSync(join(dir, 'tsdb', ulid), { recursive: true });
    copyFileSync(join(TESTDATA, ulid, 'meta.json'), join(dir, 'tsdb', ulid, 'meta.json'));
    copyFileSync(join(TESTDATA, ulid, 'index'), join(dir, 'tsdb', ulid, 'index'));
    cpSync(join(TESTDATA, ulid, 'chunks'), join(dir, 'tsdb', ulid, 'chunks'), { recursive: true });
  }
  const metrics = new Metrics();
  const bucket = new FilesystemBucket(join(dir, 'bucket'), deps);
  const shipper = await Shipper.open(
    { tenant: 'acme', dir: join(dir, 'tsdb') },
    { ...deps, bucket, metrics },
  );
  expect(await shipper.sync(CALM)).toEqual({ uploaded: ulids.length, failed: [] });
  const lister = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, { ...deps, bucket, metrics });
  listed = (await lister.refresh(CALM, 'acme')).readable;
  const cache = new PageCache(16 * 1024 * 1024);
  local = await Promise.all(ulids.map((ulid) => Block.open(deps.disk, join(dir, 'tsdb', ulid), cache)));
  gateway = new StoreGateway({ cacheDir: join(dir, 'cache') }, { ...deps, bucket });
});

afterAll(async () => {
  await Promise.all(local.map((block) => block.close()));
  rmSync(dir, { recursive: true, force: true });
});

/** Labels and chunks of every series, chunks byte by byte. */
async function answer(from: Querier, request: SelectRequest): Promise<string[]> {
  const lines: string[] = [];
  for (const batch of await collect(from.select(CALM, request)))
    for (let i = 0; i < batch.seriesCount; i++) {
      lines.push(decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]).toString());
      for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++) {
        const start = batch.chunkDataOffset[c];
        const data = Buffer.from(batch.chunkData.subarray(start, start + batch.chunkDataLength[c]));
        lines.push(
          `${batch.chunkMint[c]} ${batch.chunkMaxt[c]} ${batch.chunkEncoding[c]} ${data.toString('hex')}`,
        );
      }
    }
  return lines;
}

async function fromLocal(blocks: readonly Block[]): Promise<Querier> {
  return mergeQueriers(await Promise.all(blocks.map((block) => block.querier(T0, END))));
}

test('the bucket answers as the local blocks do', async () => {
  const names = ['__name__', 'instance', 'zone', 'odd', 'text'];
  const values = ['', 'up', 'jobs_total', 'host-1', 'z0', 'yes', 'host-1.*', 'z[01]', '.+', '.*', 'up|wide'];
  const types: MatchType[] = ['=', '!=', '=~', '!~'];
  const matcher = fc
    .tuple(fc.constantFrom(...types), fc.constantFrom(...names), fc.constantFrom(...values))
    .map(([type, name, value]) => new Matcher(type, name, value));
  const overlapping = (mint: number, maxt: number) => local.filter((block) => block.overlaps(mint, maxt));
  await fc.assert(
    fc.asyncProperty(
      fc.array(matcher, { minLength: 1, maxLength: 3 }),
      fc.nat(240),
      fc.nat(240),
      async (matchers, at, length) => {
        const mint = T0 + at * 60_000;
        const request: SelectRequest = { matchers, mint, maxt: mint + length * 60_000, sorted: true };
        const remote = gateway.querier({ blocks: listed, localUlids: new Set() }, mint, request.maxt);
        const there = await fromLocal(overlapping(mint, request.maxt));
        expect(await answer(remote, request)).toEqual(await answer(there, request));
        const labels = { matchers, mint, maxt: request.maxt, limit: 0 };
        expect(await remote.labelNames(CALM, labels)).toEqual(await there.labelNames(CALM, labels));
        expect(await remote.labelValues(CALM, 'zone', labels)).toEqual(
          await there.labelValues(CALM, 'zone', labels),
        );
        await there.close();
      },
    ),
    { numRuns: 100 },
  );
});

test('some blocks local and the others from the bucket give the whole, each chunk once', async () => {
  const all: SelectRequest = {
    matchers: [new Matcher('=~', '__name__', '.+')],
    mint: T0,
    maxt: END,
    sorted: true,
  };
  const whole = await fromLocal(local);
  const expected = await answer(whole, all);
  await whole.close();
  for (const kept of [[], local.slice(0, 1), local.slice(1), local]) {
    const view = { blocks: listed, localUlids: new Set(kept.map(({ meta }) => meta.ulid)) };
    const both = mergeQueriers([await fromLocal(kept), gateway.querier(view, T0, END)]);
    expect(await answer(both, all)).toEqual(expected);
    await both.close();
  }
});
