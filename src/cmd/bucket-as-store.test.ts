import { expect, test } from 'vitest';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { disjointStores } from '../storeapi/disjoint-stores.ts';
import { bucketAsStore } from './bucket-as-store.ts';

function block(mint: number, maxt: number, seriesLabels?: Record<string, string>): BucketBlock {
  const meta = {
    ulid: `B${mint}`,
    mint,
    maxt,
    level: 1,
    sources: [],
    seriesCount: 1,
    chunkCount: 1,
    labels: {},
    resolutionMs: 0,
    files: [],
    appliedDeletions: [],
  };
  const ref = blockRef('acme', meta.ulid);
  return { ref, meta, sizes: new Map(), uploadedMs: 0, marks: {}, ...(seriesLabels && { seriesLabels }) };
}

const setOf = (labels: Record<string, string>) => encodeLabels(Labels.from(labels));

test('a bucket is a store with the labels and times of its blocks, which evaluates nothing', () => {
  const [eu, us] = [{ cluster: 'eu' }, { cluster: 'us' }];
  const blocks = [block(10, 20, eu), block(0, 10, us), block(20, 30, eu)];
  const store = bucketAsStore(blocks);
  expect(store).toMatchObject({ labelSets: [setOf(eu), setOf(us)], mint: 0, maxt: 30, hasQueries: false });
  expect(bucketAsStore(blocks)).toBe(store);
  expect(bucketAsStore([...blocks, block(0, 40)])).toMatchObject({ labelSets: [], maxt: 40 });
});

test('an endpoint stands alone beside a bucket of other labels only', () => {
  const bucket = bucketAsStore([block(0, 10, { cluster: 'eu', replica: 'a' })]);
  const endpoint = (labels: Record<string, string>) => ({
    ...bucket,
    address: 'x:1',
    labelSets: [setOf(labels)],
    hasQueries: true,
  });
  const select = { matchers: [new Matcher('=', '__name__', 'up')], mint: 0, maxt: 5 };
  const beside = (labels: Record<string, string>) =>
    disjointStores([endpoint(labels), bucket], select, ['replica']);
  expect(beside({ cluster: 'us' })).toEqual({ alone: ['x:1'], hasRest: true });
  expect(beside({ cluster: 'eu', replica: 'b' })).toEqual({ alone: [], hasRest: true });
});
