import type { BucketBlock } from '../blocks/block-catalog.ts';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import type { RemoteStore } from '../storeapi/remote-stores.ts';

const known = new WeakMap<readonly BucketBlock[], RemoteStore>();

/**
 * The blocks that a query reads itself, as a store among others that evaluates nothing: its labels say which endpoints hold
 * other series. Made once for a list.
 */
export function bucketAsStore(blocks: readonly BucketBlock[]): RemoteStore {
  let store = known.get(blocks);
  if (store === undefined) {
    store = describe(blocks);
    known.set(blocks, store);
  }
  return store;
}

function describe(blocks: readonly BucketBlock[]): RemoteStore {
  const sets = new Map<string, Labels>();
  for (const { seriesLabels } of blocks) {
    const labels = Labels.from(seriesLabels ?? {});
    sets.set(labels.key(), labels);
  }
  // A block without labels may hold anything, and so may the bucket then.
  const areKnown = [...sets.values()].every((labels) => labels.size > 0);
  return {
    address: 'the bucket',
    members: [],
    healthy: true,
    lastError: '',
    labelSets: areKnown ? [...sets.values()].map(encodeLabels) : [],
    mint: blocks.reduce((least, { meta }) => Math.min(least, meta.mint), Number.POSITIVE_INFINITY),
    maxt: blocks.reduce((most, { meta }) => Math.max(most, meta.maxt), Number.NEGATIVE_INFINITY),
    hasExemplars: false,
    hasQueries: false,
  };
}
