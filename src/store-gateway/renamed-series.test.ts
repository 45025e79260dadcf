import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockCatalog, type BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import { uploadBlock } from '../compactor/upload.ts';
import { decodeLabels } from '../encoding/label-bytes.ts';
import { compareLabels, Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { selectSamples } from '../storage/acceptance.ts';
import { testUlid, writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import { StoreGateway } from './store-gateway.ts';

const CALM = { signal: new AbortController().signal };
const clock = new SystemClock();
const EXTERNAL = { b: 'x', zone: 'eu' };

async function blockOf(series: readonly Labels[]): Promise<{ bucket: MemoryBucket; block: BucketBlock }> {
  const [disk, bucket, ulid] = [new MemoryDisk(), new MemoryBucket(clock), testUlid(1)];
  const samples = Object.fromEntries(
    series.map((labels, i) => [
      JSON.stringify(labels),
      [
        { t: i * 10, value: i },
        { t: i * 10 + 1, value: i },
      ],
    ]),
  );
  await writeTestBlock(disk, 'b', { ulid, minTime: 0, maxTime: 100_000, series: samples });
  const ref = blockRef('', ulid, 'root');
  await uploadBlock(CALM, bucket, disk, `b/${ulid}`, ref, { labels: EXTERNAL, resolutionMs: 0 });
  const deps = { bucket, clock, log: silentLogger, metrics: new Metrics() };
  const rootTenancy = { tenantLabel: '', tenant: 'a', isTenant: () => true };
  const catalog = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0, rootTenancy }, deps);
  await catalog.tenants(CALM);
  const { readable } = await catalog.refresh(CALM, 'a');
  return { bucket, block: readable[0] };
}

const names = fc.constantFrom('a', 'b', 'c', 'zone', 'zz');
const labels = fc
  .dictionary(names, fc.constantFrom('1', '2', 'x'), { maxKeys: 4 })
  .map((more) => Labels.from({ __name__: 'up', ...more }));

test('series under added labels come in their order, equal ones as one, without what is deleted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(labels, { selector: (one) => one.key(), minLength: 1, maxLength: 40 }),
      fc.nat(300),
      async (series, deletedUpTo) => {
        const sorted = series.toSorted(compareLabels);
        const { bucket, block } = await blockOf(sorted);
        const deps = { bucket, disk: new MemoryDisk(), clock, log: silentLogger };
        // So little that each series is decoded by itself.
        const gateway = new StoreGateway({ cacheDir: 'c', memoryBytes: 1000 }, deps);
        const up = [[{ name: '__name__', type: '=' as const, value: 'up' }]];
        const deletions = [{ id: 'd', timeMs: 2e12, mint: 0, maxt: deletedUpTo, matcherSets: up }];
        const view = { blocks: [block], localUlids: new Set<string>(), deletions };
        const request = { matchers: [new Matcher('=', '__name__', 'up')], mint: 0, maxt: 1e6, sorted: true };
        const expected = new Map<string, number[]>();
        for (const [i, own] of sorted.entries()) {
          const key = Labels.from({ ...own.toJSON(), ...EXTERNAL }).toString();
          const left = [i * 10, i * 10 + 1].filter((t) => t > deletedUpTo);
          if (left.length > 0) expected.set(key, [...(expected.get(key) ?? []), ...left]);
        }
        const found = await selectSamples(gateway.querier(view, 0, 1e6), request);
        expect(Object.keys(found).sort()).toEqual([...expected.keys()].sort());
        for (const [key, samples] of expected) expect(found[key]).toHaveLength(samples.length);
        const order: Labels[] = [];
        const named = gateway.querier(view, 0, 1e6).select(CALM, { ...request, hints: { labelsOnly: true } });
        for await (const { seriesCount, labelBytes, labelOffsets } of named)
          for (let i = 0; i < seriesCount; i++)
            order.push(decodeLabels(labelBytes, labelOffsets[i], labelOffsets[i + 1]));
        expect(order).toEqual(order.toSorted(compareLabels));
        expect(order).toHaveLength(expected.size);
      },
    ),
    { numRuns: 40 },
  );
});
