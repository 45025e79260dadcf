import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { encodeMark, MARK_KINDS, parseMark } from './marks.ts';
import { parseMeta, withCounts, withLabels, withRewrites, withThanosSection } from './meta.ts';

const ULID = '01HQ0000000000000000000001';
const encoder = new TextEncoder();
const encode = (value: unknown) => encoder.encode(typeof value === 'string' ? value : JSON.stringify(value));

const meta = {
  ulid: ULID,
  minTime: 1000,
  maxTime: 2000,
  stats: { numSamples: 5, numSeries: 2, numChunks: 3, numTombstones: 0 },
  compaction: { level: 1, sources: [ULID], parents: null },
  version: 1,
  thanos: {
    labels: { __org_id__: 'acme' },
    downsample: { resolution: 300_000 },
    source: 'receive',
    files: [{ rel_path: 'index', size_bytes: 7 }, { rel_path: 'meta.json' }],
    rewrites: [{ sources: [ULID], deletions_applied: [{ request_id: 'request-1' }, { matchers: [] }] }],
  },
};

test('a meta.json of Thanos or Cortex is understood', () => {
  expect(parseMeta(encode(meta), 'm', ULID)).toEqual({
    ulid: ULID,
    mint: 1000,
    maxt: 2000,
    level: 1,
    sources: [ULID],
    seriesCount: 2,
    chunkCount: 3,
    labels: { __org_id__: 'acme' },
    resolutionMs: 300_000,
    source: 'receive',
    files: [
      { relPath: 'index', sizeBytes: 7 },
      { relPath: 'meta.json', sizeBytes: 0 },
    ],
    appliedDeletions: ['request-1'],
  });
});

test('a meta.json of Prometheus alone has no labels and no files', () => {
  const { thanos: _, ...plain } = meta;
  expect(parseMeta(encode(plain), 'm', ULID)).toMatchObject({ labels: {}, files: [], resolutionMs: 0 });
});

test.each([
  ['', 'not JSON'],
  ['[]', 'no object'],
  ['null', 'no object'],
  [{ ...meta, version: 2 }, 'version is 2'],
  [{ ...meta, ulid: '01HQ0000000000000000000002' }, 'in the folder of'],
  [{ ...meta, ulid: '../../etc' }, 'in the folder of'],
  [{ ...meta, minTime: '1' }, 'minTime'],
  [{ ...meta, minTime: 3000 }, 'before minTime'],
  [{ ...meta, maxTime: 1e300 }, 'maxTime'],
  [{ ...meta, stats: 7 }, 'stats is no object'],
  [{ ...meta, thanos: { labels: { a: 1 } } }, 'thanos.labels.a'],
  [{ ...meta, thanos: { files: [{ rel_path: 'x', size_bytes: -1 }] } }, 'size_bytes is -1'],
])('%j is corrupt: %s', (value, message) => {
  const attempt = () => parseMeta(encode(value), 'tenant/block/meta.json', ULID);
  expect(attempt).toThrow(expect.objectContaining({ code: 'corrupt' }));
  expect(attempt).toThrow(/^tenant\/block\/meta\.json: /);
  expect(attempt).toThrow(message);
});

test('marks of Thanos tell when and why', () => {
  const mark = { id: ULID, version: 1, details: 'x', deletion_time: 1_700_000_000 };
  expect(parseMark(encode(mark), 'm', 'deletion', ULID)).toEqual({
    timeMs: 1_700_000_000_000,
    reason: '',
    details: 'x',
    hidden: false,
  });
  const noCompact = { id: ULID, version: 1, no_compact_time: 5, reason: 'index-size-exceeding' };
  expect(parseMark(encode(noCompact), 'm', 'no-compact', ULID)).toMatchObject({
    timeMs: 5000,
    reason: 'index-size-exceeding',
  });
  expect(() => parseMark(encode({ ...mark, version: 3 }), 'm', 'deletion', ULID)).toThrow('version is 3');
  expect(() => parseMark(encode(mark), 'm', 'deletion', ULID.replace(/1$/, '2'))).toThrow('the block is');
  expect(() => parseMark(encode(mark), 'm', 'no-compact', ULID)).toThrow('no_compact_time');
});

test('a mark that is written reads as it was', () => {
  for (const kind of MARK_KINDS) {
    const reason = kind === 'deletion' ? '' : 'manual';
    const mark = { timeMs: 1_700_000_000_000, reason, details: 'why', hidden: kind === 'quarantine' };
    expect(parseMark(encodeMark(kind, ULID, mark), 'm', kind, ULID)).toEqual(mark);
  }
});

test('the section is added and everything else kept', () => {
  const local = { ...meta, thanos: undefined, future: { kept: [1, 2] } };
  const section = { labels: { __org_id__: 'acme' }, files: [{ relPath: 'index', sizeBytes: 9 }] };
  const out = withThanosSection(encode(local), 'm', section);
  expect(JSON.parse(new TextDecoder().decode(out))).toMatchObject({
    future: { kept: [1, 2] },
    minTime: 1000,
  });
  expect(parseMeta(out, 'm', ULID)).toMatchObject({ labels: { __org_id__: 'acme' }, level: 1 });
});

test('mutated bytes and other JSON decode or are corrupt', () => {
  const decodes = (data: Uint8Array) => {
    const marks = MARK_KINDS.map((kind) => () => parseMark(data, 'm', kind, ULID));
    for (const parse of [() => parseMeta(data, 'm', ULID), ...marks])
      try {
        parse();
      } catch (error) {
        expect(error).toBeInstanceOf(VeronaError);
        expect(error).toMatchObject({ code: 'corrupt' });
      }
  };
  const bytes = encode(meta);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, byte, end) => {
      const mutated = bytes.slice(0, Math.max(1, end));
      mutated[at % mutated.length] = byte;
      decodes(mutated);
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.json(), (json) => decodes(encode(json))));
  const paths = ['ulid', 'minTime', 'stats', 'compaction', 'version', 'thanos'] as const;
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) =>
      decodes(encode({ ...meta, [path]: value })),
    ),
    { numRuns: 500 },
  );
});

test('whatever a meta.json holds, what is written anew of it is read, or it is corrupt', () => {
  const labels = { cluster: 'a' };
  const files = [{ relPath: 'index', sizeBytes: 9 }];
  const writers = [
    (data: Uint8Array) => withThanosSection(data, 'm', { labels, files }),
    (data: Uint8Array) => withLabels(data, 'm', labels, files),
    (data: Uint8Array) => withCounts(data, 'm', { numSamples: 1, numSeries: 1, numChunks: 1 }, files),
    (data: Uint8Array) => withRewrites(data, 'm', [{ deletions_applied: [{ request_id: 'x' }] }]),
  ];
  const isRead = (data: Uint8Array) => {
    try {
      parseMeta(data, 'm', ULID);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'corrupt' });
      return false;
    }
  };
  const paths = ['ulid', 'stats', 'compaction', 'thanos', 'minTime'] as const;
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
      const before = encode({ ...meta, [path]: value });
      for (const write of writers)
        try {
          const after = write(before);
          if (isRead(before)) expect(isRead(after)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' });
        }
    }),
    { numRuns: 500 },
  );
});
