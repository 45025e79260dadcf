import { expect, test } from 'vitest';
import type { TenantView } from './query-thread.ts';
import { SharedViews } from './shared-views.ts';

const reads = () => ({
  window: { mint: 0, maxt: 9 },
  limits: { seriesMax: 0, chunksMax: 1, bytesMax: 1 },
  share: undefined,
});

function view(changes: Partial<TenantView> = {}, ulid = 'A', tombstonesVersion = 0): TenantView {
  const block = { ulid, sources: [ulid], minTime: 0, maxTime: 1, tombstonesVersion };
  return {
    local: { dir: '/a', hasHead: true, oldestChunkFile: 1, blocks: [block] },
    bucketBlocks: undefined,
    deletions: [],
    bucketReads: reads(),
    warnings: [],
    remote: undefined,
    replicaLabels: ['replica'],
    dedup: 'fill',
    ...changes,
  };
}

test('a view that says the same is the same object, and any change makes another', () => {
  const views = new SharedViews();
  const first = views.of('a', view());
  expect(views.of('a', view())).toBe(first);
  const changed = [
    view({ warnings: ['a block is set aside'] }),
    view({ replicaLabels: [] }),
    view({ dedup: 'penalty' }),
    view({ bucketBlocks: { version: 1, bytes: new SharedArrayBuffer(1) } }),
    view({ bucketReads: undefined }),
    view({ bucketReads: { ...reads(), window: { mint: 1, maxt: 9 } } }),
    view({ bucketReads: { ...reads(), limits: { seriesMax: 0, chunksMax: 1, bytesMax: 2 } } }),
    view({ local: undefined }),
    view({}, 'B'),
    view({}, 'A', 1),
  ];
  for (const other of changed) {
    expect(views.of('a', other)).toBe(other);
    expect(views.of('a', view())).not.toBe(first);
  }
  expect(views.of('b', view())).not.toBe(views.of('a', view()));
});
