import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { BlockCatalog } from '../blocks/block-catalog.ts';
import { BlockMarker } from '../blocks/block-marker.ts';
import { encodeBucketIndex } from '../blocks/bucket-index.ts';
import { blockRef } from '../blocks/layout.ts';
import { parseMark } from '../blocks/marks.ts';
import { type BlockMeta, metaDocument, parseMeta } from '../blocks/meta.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';
import { silentLogger } from '../platform/log.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { makeJob } from './make-job.ts';
import { runJob } from './run-job.ts';
import { CompactorKit, CTX, HOUR, RULES, TENANT } from './testdata/kit.ts';

/**
 * What Thanos, Cortex and Mimir decode these files into: the fields of their structures with what Go takes for each. A field
 * that none of them knows, or a value that Go would refuse, fails.
 */
type Shape = 'int' | 'text' | 'flag' | 'any' | readonly [Shape] | { readonly [field: string]: Shape };

const TIMES = { ulid: 'text', minTime: 'int', maxTime: 'int' } as const;
const BLOCK_META: Shape = {
  ...TIMES,
  version: 'int',
  stats: {
    numSamples: 'int',
    numFloatSamples: 'int',
    numHistogramSamples: 'int',
    numSeries: 'int',
    numChunks: 'int',
    numTombstones: 'int',
  },
  compaction: {
    level: 'int',
    sources: ['text'],
    parents: [TIMES],
    deletable: 'flag',
    failed: 'flag',
    hints: ['text'],
  },
  thanos: {
    version: 'int',
    labels: 'any',
    downsample: { resolution: 'int' },
    source: 'text',
    segment_files: ['text'],
    files: [{ rel_path: 'text', size_bytes: 'int', hash: { hashFunc: 'text', value: 'text' } }],
    rewrites: [
      {
        sources: ['text'],
        deletions_applied: [
          {
            matchers: [{ Type: 'int', Name: 'text', Value: 'text' }],
            intervals: [{ Mint: 'int', Maxt: 'int' }],
            request_id: 'text',
          },
        ],
        relabels_applied: [
          {
            sourceLabels: ['text'],
            separator: 'text',
            modulus: 'int',
            targetLabel: 'text',
            replacement: 'text',
            action: 'text',
          },
        ],
      },
    ],
    index_stats: { series_max_size: 'int', chunk_max_size: 'int' },
    extensions: 'any',
    upload_time: 'text',
  },
};
const MARKS = {
  deletion: { id: 'text', version: 'int', details: 'text', deletion_time: 'int' },
  'no-compact': { id: 'text', version: 'int', details: 'text', no_compact_time: 'int', reason: 'text' },
  'no-downsample': { id: 'text', version: 'int', details: 'text', no_downsample_time: 'int', reason: 'text' },
} as const;
const BUCKET_INDEX: Shape = {
  version: 'int',
  blocks: [
    {
      block_id: 'text',
      min_time: 'int',
      max_time: 'int',
      segments_format: 'text',
      segments_num: 'int',
      uploaded_at: 'int',
      // Cortex
      series_max_size: 'int',
      chunk_max_size: 'int',
      // Mimir
      compactor_shard_id: 'text',
      source: 'text',
      compaction_level: 'int',
      out_of_order: 'flag',
      labels: 'any',
      // Ours: Go passes over it.
      verona: 'any',
    },
  ],
  block_deletion_marks: [{ block_id: 'text', deletion_time: 'int' }],
  updated_at: 'int',
};

/** Where a value is not what Go would decode without loss. */
function misfits(value: unknown, shape: Shape, path = ''): string[] {
  if (shape === 'any') return [];
  if (shape === 'int') return Number.isSafeInteger(value) ? [] : [`${path} is no integer`];
  if (shape === 'text') return typeof value === 'string' ? [] : [`${path} is no text`];
  if (shape === 'flag') return typeof value === 'boolean' ? [] : [`${path} is no bool`];
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((item, i) => misfits(item, shape[0], `${path}[${i}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} is no object`];
  return Object.entries(value).flatMap(([field, inner]) => {
    const known = (shape as Record<string, Shape>)[field];
    return known === undefined ? [`${path}.${field} is unknown`] : misfits(inner, known, `${path}.${field}`);
  });
}

const T = 1_700_006_400_000;
const ulid = (i: number) => `01HF4D3T00000000000000000${i}`;

async function compacted(shards: boolean): Promise<CompactorKit> {
  const kit = new CompactorKit();
  for (let i = 0; i < 4; i++) {
    const minTime = T + 2 * i * HOUR;
    const samples = Array.from({ length: 120 }, (_, k) => ({ t: minTime + k * 60_000, value: k }));
    const series = Object.fromEntries([1, 2, 3, 4, 5, 6].map((a) => [`{"a":"${a}"}`, samples]));
    await kit.put({ ulid: ulid(i), minTime, maxTime: minTime + 2 * HOUR, series });
  }
  await kit.compactor(shards ? { rules: { ...RULES, seriesMax: 3 } } : {}).runRound(CTX);
  return kit;
}

async function json(kit: CompactorKit, key: string) {
  return JSON.parse(new TextDecoder().decode(await kit.bucket.get(CTX, key)));
}

test.each([false, true])(
  'every meta.json and mark in the bucket is what Thanos and Cortex decode (split: %s)',
  async (shards) => {
    const kit = await compacted(shards);
    const keys = await kit.keys();
    const metas = keys.filter((key) => key.endsWith('/meta.json'));
    const marks = keys.filter((key) => key.endsWith('deletion-mark.json'));
    expect([metas.length, marks.length]).toEqual(shards ? [6, 8] : [5, 8]);
    for (const key of metas) {
      const meta = await json(kit, key);
      expect(misfits(meta, BLOCK_META)).toEqual([]);
      const files = meta.thanos.files.map(({ rel_path }: { rel_path: string }) => rel_path);
      expect(files).toEqual(['chunks/000001', 'index', 'meta.json']);
      expect(meta.thanos).toMatchObject({
        version: 1,
        segment_files: ['000001'],
        downsample: { resolution: 0 },
      });
      expect(meta.thanos.files[2]).toEqual({ rel_path: 'meta.json' });
    }
    for (const key of marks) expect(misfits(await json(kit, key), MARKS.deletion)).toEqual([]);
    const made = (await kit.visible())[0].meta;
    expect(made).toMatchObject({ source: 'compactor' });
    expect(made.indexStats?.seriesMaxBytes).toBeGreaterThan(0);
    expect(made.indexStats?.chunkMaxBytes).toBeGreaterThan(100);
  },
);

test('a block that is rewritten says what was deleted and relabelled, in Thanos’ form and after what it said before', async () => {
  const kit = new CompactorKit();
  const samples = Array.from({ length: 120 }, (_, i) => ({ t: T + i * 60_000, value: i }));
  const series = { '{"a":"1"}': samples, '{"a":"2"}': samples };
  await kit.put({ ulid: ulid(1), minTime: T, maxTime: T + 2 * HOUR, series });
  const set = (name: string, type: MatchType, value: string) => [[new Matcher(type, name, value)]];
  const deletions = kit.deletions();
  const first = await deletions.add(CTX, TENANT, {
    matcherSets: set('a', '=', '1'),
    mint: T,
    maxt: T + HOUR,
  });
  kit.clock.time += 1;
  const second = await deletions.add(CTX, TENANT, {
    matcherSets: set('a', '!~', '1|2'),
    mint: 0,
    maxt: 2 * T,
  });
  kit.clock.time += HOUR;
  await kit.compactor().runRound(CTX);
  const [block] = await kit.visible();
  const key = `${block.ref.folder}/meta.json`;
  const { rewrites } = (await json(kit, key)).thanos;
  expect(misfits(await json(kit, key), BLOCK_META)).toEqual([]);
  expect(rewrites).toEqual([
    {
      sources: [ulid(1)],
      deletions_applied: [
        {
          matchers: [{ Type: 0, Name: 'a', Value: '1' }],
          intervals: [{ Mint: T, Maxt: T + HOUR }],
          request_id: first.id,
        },
        {
          matchers: [{ Type: 3, Name: 'a', Value: '1|2' }],
          intervals: [{ Mint: 0, Maxt: 2 * T }],
          request_id: second.id,
        },
      ],
    },
  ]);
  const relabels = [
    { action: 'labeldrop', regex: 'b' },
    { targetLabel: 'zone', replacement: 'eu' },
  ] as const;
  const shape = { kind: 'rewrite', resolutionMs: 0, shards: 1, replicaLabels: [] } as const;
  const deps = { bucket: kit.bucket, disk: new MemoryDisk(), clock: kit.clock, random: new SeededRandom(3) };
  const options = {
    workDir: 'w',
    dedup: 'penalty',
    relabels,
    change: (labels: readonly string[]) => labels,
  } as const;
  const { outputs } = await runJob(CTX, makeJob(TENANT, [block], [], shape), options, deps);
  const again = await json(kit, `${TENANT}/${outputs[0]}/meta.json`);
  expect(misfits(again, BLOCK_META)).toEqual([]);
  expect(again.thanos.rewrites).toEqual([
    ...rewrites,
    {
      sources: [ulid(1)],
      relabels_applied: [
        { separator: ';', replacement: '$1', action: 'labeldrop' },
        { separator: ';', targetLabel: 'zone', replacement: 'eu', action: 'replace' },
      ],
    },
  ]);
});

test('marks that are set by hand are what Thanos decodes, in both layouts, with seconds', async () => {
  const kit = new CompactorKit();
  const marker = new BlockMarker({ bucket: kit.bucket, clock: kit.clock, log: silentLogger });
  for (const layout of ['tenant', 'root'] as const)
    for (const kind of ['deletion', 'no-compact', 'no-downsample'] as const) {
      const ref = blockRef(TENANT, ulid(1), layout);
      await marker.mark(CTX, ref, kind, { details: 'why' });
      const keys = (await kit.keys()).filter((key) => key.endsWith(`${kind}-mark.json`));
      expect(keys).toHaveLength(layout === 'tenant' ? 2 : 3);
      for (const key of keys) {
        const mark = await json(kit, key);
        expect(misfits(mark, MARKS[kind])).toEqual([]);
        expect(mark).toMatchObject({
          id: ulid(1),
          version: 1,
          [`${kind.replace('-', '_')}_time`]: kit.clock.time / 1000,
        });
        if (kind !== 'deletion') expect(mark.reason).toBe('manual');
      }
    }
});

test('the bucket index is what Cortex and Mimir decode', async () => {
  const kit = await compacted(true);
  const deps = { bucket: kit.bucket, clock: kit.clock, log: silentLogger, metrics: new Metrics() };
  const { whole } = await new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps).refresh(CTX, TENANT, {
    full: true,
  });
  const index = JSON.parse(gunzipSync(await encodeBucketIndex(whole, kit.clock.time)).toString());
  expect(misfits(index, BUCKET_INDEX)).toEqual([]);
  expect(index).toMatchObject({ version: 1, updated_at: kit.clock.time / 1000 });
  expect(index.block_deletion_marks).toHaveLength(4);
  const shards = index.blocks.filter((block: object) => 'compactor_shard_id' in block);
  expect(shards.map((block: Record<string, unknown>) => block.compactor_shard_id).sort()).toEqual([
    '1_of_2',
    '2_of_2',
  ]);
  for (const block of shards)
    expect(block).toMatchObject({
      segments_format: '1b6d',
      segments_num: 1,
      source: 'compactor',
      compaction_level: 2,
    });
});

test('what Thanos and Cortex join and give the extensions of a block beside it, says nothing that is only true of that one', () => {
  const T2 = T + 2 * HOUR;
  const beside: BlockMeta = {
    ulid: ulid(1),
    mint: T,
    maxt: T + 4 * HOUR,
    level: 2,
    sources: [ulid(2), ulid(3)],
    sourceTimes: [T, T2, T2, T + 4 * HOUR],
    seriesCount: 1,
    chunkCount: 1,
    labels: {},
    resolutionMs: 0,
    files: [],
    appliedDeletions: [],
    replica: '["a"]',
  };
  const document = JSON.parse(JSON.stringify(metaDocument(beside)));
  const read = (value: object, name: string) =>
    parseMeta(new TextEncoder().encode(JSON.stringify(value)), 'm', name);
  expect(read(document, ulid(1))).toEqual(beside);
  const joined = { ...document, ulid: ulid(5), compaction: { level: 3, sources: [ulid(3), ulid(4)] } };
  const { replica, sourceTimes } = read(joined, ulid(5));
  expect(replica).toBeUndefined();
  // Of the source that both have it is as true as before.
  expect(sourceTimes).toEqual([T2, T + 4 * HOUR, T, T + 4 * HOUR]);
});

test('a meta.json and marks as Thanos and Cortex write them are read', () => {
  const meta = {
    version: 1,
    ulid: ulid(1),
    minTime: T,
    maxTime: T + 48 * HOUR,
    stats: { numSamples: 10, numSeries: 2, numChunks: 3 },
    compaction: {
      level: 3,
      sources: [ulid(2), ulid(3)],
      parents: [{ ulid: ulid(2), minTime: T, maxTime: T }],
      hints: ['from-out-of-order'],
    },
    thanos: {
      version: 1,
      labels: { cluster: 'eu', replica: '0' },
      downsample: { resolution: 300_000 },
      source: 'compactor',
      segment_files: ['000001'],
      files: [
        { rel_path: 'chunks/000001', size_bytes: 4, hash: { hashFunc: 'SHA256', value: 'ab' } },
        { rel_path: 'index', size_bytes: 5 },
        { rel_path: 'meta.json' },
      ],
      index_stats: { series_max_size: 160, chunk_max_size: 300 },
      extensions: { partition_info: { partitioned_group_id: 1 } },
      upload_time: '2026-01-01T00:00:00Z',
    },
  };
  expect(misfits(meta, BLOCK_META)).toEqual([]);
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  expect(parseMeta(bytes(meta), 'm', ulid(1))).toMatchObject({
    labels: meta.thanos.labels,
    resolutionMs: 300_000,
    source: 'compactor',
    isOutOfOrder: true,
    indexStats: { seriesMaxBytes: 160, chunkMaxBytes: 300 },
  });
  const first = { ...meta, thanos: { ...meta.thanos, version: undefined, files: undefined } };
  expect(parseMeta(bytes(first), 'm', ulid(1)).files).toEqual([]);
  const later = { ...meta, thanos: { ...meta.thanos, version: 2 } };
  expect(() => parseMeta(bytes(later), 'm', ulid(1))).toThrow('thanos.version is 2');
  const mark = {
    id: ulid(1),
    version: 1,
    no_compact_time: 1_700_000_000,
    reason: 'block-index-out-of-order-chunk',
  };
  expect(misfits(mark, MARKS['no-compact'])).toEqual([]);
  expect(parseMark(bytes(mark), 'm', 'no-compact', ulid(1))).toMatchObject({
    reason: mark.reason,
    timeMs: 1_700_000_000_000,
  });
  expect(() => parseMark(bytes({ ...mark, version: 2 }), 'm', 'no-compact', ulid(1))).toThrow('version is 2');
});
