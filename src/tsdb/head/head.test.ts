import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { decodeLabels } from '../../encoding/label-bytes.ts';
import { snappyCompress } from '../../encoding/snappy.ts';
import { PlainHeadMemory } from '../../kernel/plain-head-memory.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { silentLogger } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { encodeWriteRequest } from '../../proto/remote-write.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { decodeSamples } from './clip-chunk.ts';
import { chunksOf } from './complete-slice.ts';
import { Head } from './head.ts';
import { HeadQuerier } from './head-querier.ts';
import { admitAll } from './series-table.ts';

const dirs: string[] = [];
afterEach(async () => {
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true });
});

async function newDir(): Promise<string> {
  const dir = await mkdtemp(`${tmpdir()}/head-`);
  dirs.push(dir);
  return dir;
}

const HOUR = 3_600_000;
const NOW = 1_700_000_000_000;
const clock = { now: () => NOW, monotonic: () => performance.now(), after: () => () => {} };

function openHead(dir: string, outOfOrderWindowMs = 0): Promise<Head> {
  return Head.open({
    disk: new NodeDisk(),
    clock,
    log: silentLogger,
    metrics: new Metrics(),
    dir,
    limits: { chunkRangeMs: 2 * HOUR, outOfOrderWindowMs, futureMs: 600_000, exemplarsMax: 100 },
    newMemory: (options) => new PlainHeadMemory(options),
    pageCache: new PageCache(1 << 20),
    minValidTime: Number.NEGATIVE_INFINITY,
  });
}

function body(series: Record<string, [number, number][]>): Uint8Array {
  const timeSeries = Object.entries(series).map(([name, samples]) => ({
    labels: Labels.from({ __name__: name, job: 'test' }).flat,
    samples: samples.map(([t, v]) => ({ t, v, startT: 0 })),
    histograms: [],
    exemplars: [],
  }));
  return snappyCompress(encodeWriteRequest({ timeSeries, metadata: [] })).slice();
}

async function readAll(head: Head): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  const request = { matchers: [new Matcher('=', 'job', 'test')], mint: 0, maxt: NOW * 2, sorted: true };
  for await (const batch of new HeadQuerier(head, Number.NEGATIVE_INFINITY).select(
    { signal: new AbortController().signal },
    request,
  ))
    for (let i = 0; i < batch.seriesCount; i++) {
      const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
      const samples = chunksOf(batch, i).flatMap((chunk) =>
        decodeSamples(chunk).map(({ t, value }) => [t, value]),
      );
      found[labels.get('__name__')] = samples;
    }
  return found;
}

test('what was written is answered, also after a restart without closing', async () => {
  const dir = await newDir();
  const head = await openHead(dir);
  const samples = Array.from({ length: 500 }, (_, i): [number, number] => [NOW - HOUR + i * 1000, i]);
  const result = await head.write(body({ a: samples, b: samples.slice(0, 3) }), 1, 1 << 20, admitAll);
  expect(result.samples).toBe(503);
  const expected = { a: samples, b: samples.slice(0, 3) };
  expect(await readAll(head)).toEqual(expected);
  await head.sync();
  const again = await openHead(dir);
  expect(await readAll(again)).toEqual(expected);
  await again.close();
  const third = await openHead(dir);
  expect(await readAll(third)).toEqual(expected);
  await head.close();
  await third.close();
});
