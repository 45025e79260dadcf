import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeLabels } from '../../encoding/label-bytes.ts';
import { compareLabels, Labels } from '../../model/labels.ts';
import { numberedSeries } from '../../storage/testdata/numbered-series.ts';
import { inLabelOrder } from './label-order.ts';

const own = fc
  .dictionary(
    fc.constantFrom('__name__', 'a', 'b', 'd', 'm', 'n', 'y', 'z', 'é'),
    fc.constantFrom('0', '1', 'up'),
  )
  .map((pairs) => Labels.from(pairs));
const external = fc
  .dictionary(fc.constantFrom('A', 'c', 'k', 'x', 'zz'), fc.constantFrom('0', 'eu'), { minKeys: 1 })
  .map((pairs) => Labels.from(pairs));

/** Label sets with the number of the series that came with them, and how many had come when each was given. */
async function ordered(sets: readonly Labels[], labels: Labels, perBatch = 3) {
  let come = 0;
  const counted = async function* () {
    for await (const batch of numberedSeries(sets, perBatch)) {
      come += batch.seriesCount;
      yield batch;
    }
  };
  const given: { labels: Labels; series: number; come: number }[] = [];
  for await (const batch of inLabelOrder(counted(), labels))
    for (let i = 0; i < batch.seriesCount; i++)
      given.push({
        labels: decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]),
        series: batch.chunkMint[batch.chunkStarts[i]],
        come,
      });
  return given;
}

test('series that come in the order of their own labels are given in the order of all, each with its chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(own, { selector: (labels) => labels.key(), maxLength: 30 }),
      external,
      fc.integer({ min: 1, max: 5 }),
      async (sets, labels, perBatch) => {
        const sent = [...sets].sort(compareLabels).map((one) => one.with(labels.toJSON()));
        const given = await ordered(sent, labels, perBatch);
        expect(given.map((one) => one.labels)).toEqual([...sent].sort(compareLabels));
        for (const one of given) expect(sent[one.series].equals(one.labels)).toBe(true);
      },
    ),
    { numRuns: 1000 },
  );
});

test('nothing waits for the end of a metric', async () => {
  for (const name of ['cluster', 'replica']) {
    const labels = Labels.from({ [name]: 'a' });
    const sets = Array.from({ length: 5000 }, (_, i) =>
      Labels.from({ __name__: 'x', instance: String(i).padStart(5, '0'), job: 'j' }).with(labels.toJSON()),
    );
    const given = await ordered(sets, labels, 100);
    expect(given[0].come).toBeLessThan(5000);
  }
});

test('another order, and series without the external labels, are errors', async () => {
  const labels = Labels.from({ cluster: 'eu' });
  const set = (pairs: Record<string, string>) => Labels.from({ __name__: 'x', ...pairs });
  const twisted = [set({ cluster: 'eu', job: 'b' }), set({ cluster: 'eu', job: 'a' })];
  await expect(ordered(twisted, labels)).rejects.toThrow('ask again soon');
  await expect(ordered([set({ cluster: 'us', job: 'b' })], labels)).rejects.toThrow('other external labels');
});
