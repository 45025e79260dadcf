import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeLabels } from '../encoding/label-bytes.ts';
import { compareLabels, Labels } from '../model/labels.ts';
import { LabelChange } from './label-change.ts';
import { relabelSeries } from './regroup.ts';
import { numberedSeries } from './testdata/numbered-series.ts';

const name = fc.constantFrom('A', '__name__', 'a', 'b', 'replica', 'z', 'é');
const value = fc.constantFrom('', '0', '1', 'up');
const labelSet = fc.dictionary(name, value).map((pairs) => Labels.from(pairs));
const changed = fc.record({ add: labelSet, remove: fc.uniqueArray(name) });

test('a changed stream is sorted, each label set once, with the chunks of all that became equal', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(labelSet, { selector: (labels) => labels.key(), maxLength: 30 }),
      changed,
      fc.integer({ min: 1, max: 5 }),
      async (sets, { add, remove }, perBatch) => {
        const sorted = [...sets].sort(compareLabels);
        const expected = new Map<string, number[]>();
        fc.pre(sorted.every((labels) => Labels.from([...labels.drop(new Set(remove)), ...add]).size > 0));
        const after = (labels: Labels) => Labels.from([...labels.drop(new Set(remove)), ...add]);
        for (const [i, labels] of sorted.entries()) {
          const key = after(labels).key();
          expected.set(key, [...(expected.get(key) ?? []), i]);
        }
        const seen: Labels[] = [];
        const chunks = new Map<string, number[]>();
        const change = new LabelChange(add, remove);
        for await (const batch of relabelSeries(numberedSeries(sorted, perBatch), change))
          for (let s = 0; s < batch.seriesCount; s++) {
            const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[s], batch.labelOffsets[s + 1]);
            seen.push(labels);
            chunks.set(labels.key(), [
              ...batch.chunkMint.slice(batch.chunkStarts[s], batch.chunkStarts[s + 1]),
            ]);
          }
        expect(seen).toEqual([...seen].sort(compareLabels));
        expect(new Map([...chunks].sort())).toEqual(new Map([...expected].sort()));
        expect(seen.length).toBe(expected.size);
      },
    ),
    { numRuns: 500 },
  );
});
