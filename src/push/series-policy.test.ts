import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { DEFAULT_LIMITS, type Limits } from '../tenancy/limits.ts';
import { LimitPolicy } from './series-policy.ts';

test('a label set is admitted by its bytes exactly when it is admitted by its text', () => {
  const name = fc.oneof(
    fc.constantFrom('__name__', '__nane__', 'job', ''),
    fc.stringMatching(/^[a-z_]{1,12}$/),
  );
  const max = fc.constantFrom(0, 1, 2, 3, 8, 9);
  const admitted = new Set<boolean>();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, fc.stringMatching(/^[ -~]{0,12}$/)), { maxLength: 5 }),
      fc.record({ names: max, name: max, value: max, series: max }),
      (pairs, { names, name: nameMax, value, series }) => {
        const limits: Limits = {
          ...DEFAULT_LIMITS,
          maxSeries: series,
          maxLabelNamesPerSeries: names,
          maxLabelNameLength: nameMax,
          maxLabelValueLength: value,
        };
        const labels = Labels.from(pairs);
        const byText = new LimitPolicy(limits).admit(labels, 2) === undefined;
        expect(new LimitPolicy(limits).admitsBytes(encodeLabels(labels), 2)).toBe(byText);
        admitted.add(byText);
      },
    ),
    { numRuns: 2000 },
  );
  expect(admitted).toEqual(new Set([true, false]));
});
