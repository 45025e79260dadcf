import { expect, test } from 'vitest';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import { BlockSharer, SharedBlocksReader } from './shared-blocks.ts';

function blocks(...ulids: readonly string[]): BucketBlock[] {
  return ulids.map((ulid) => ({
    ref: blockRef('acme', ulid),
    meta: {
      ulid,
      mint: 1,
      maxt: 2,
      level: 1,
      sources: [ulid],
      seriesCount: 1,
      chunkCount: 1,
      labels: { __org_id__: 'acme' },
      resolutionMs: 0,
      files: [],
      appliedDeletions: [],
    },
    sizes: new Map([['index', 7]]),
    uploadedMs: 3,
    marks: { quarantine: { timeMs: 1, reason: 'é', details: '', hidden: false } },
  }));
}

test('a list arrives as it was, is made once, and is taken apart once', () => {
  const [sharer, reader] = [new BlockSharer(), new SharedBlocksReader()];
  const list = blocks('A', 'B');
  const shared = sharer.share(list);
  expect(sharer.share(list)).toBe(shared);
  const read = reader.read('acme', structuredClone(shared));
  expect(read).toEqual(list);
  expect(reader.read('acme', structuredClone(shared))).toBe(read);
});

test('another list, of the same tenant or of another one, is another one', () => {
  const [sharer, reader] = [new BlockSharer(), new SharedBlocksReader()];
  const [first, second] = [sharer.share(blocks('A')), sharer.share(blocks('B'))];
  expect(reader.read('acme', first)[0].ref.ulid).toBe('A');
  expect(reader.read('acme', second)[0].ref.ulid).toBe('B');
  expect(reader.read('beta', first)[0].ref.ulid).toBe('A');
  for (let i = 0; i < 300; i++) expect(reader.read(`t${i}`, first)).toHaveLength(1);
  expect(reader.read('acme', second)[0].ref.ulid).toBe('B');
});
