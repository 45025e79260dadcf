import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../../encoding/label-bytes.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher, type MatchType } from '../../model/matcher.ts';
import { HeadIndex } from './head-index.ts';
import { MatchedValues } from './matched-values.ts';
import { selectSlots } from './select-slots.ts';
import { runAtOnce } from './slices.ts';
import { SlotSet } from './slot-set.ts';

class Series {
  readonly labels = new Map<number, Labels>();
  readonly matched = new MatchedValues();
  readonly index = new HeadIndex(
    { labelBytesOf: (slot) => encodeLabels(this.labels.get(slot) as Labels) },
    (name, value) => this.matched.noteValue(name, value),
  );

  add(slot: number, labels: Labels): void {
    this.labels.set(slot, labels);
    this.index.add(slot, encodeLabels(labels));
  }

  remove(slots: readonly number[]): void {
    const gone = new SlotSet(this.index.slotMax);
    gone.addAll(Uint32Array.from(slots));
    runAtOnce(this.index.remove(gone, runAtOnce(this.index.findLists(Uint32Array.from(slots)))));
    this.matched.clear();
    for (const slot of slots) this.labels.delete(slot);
  }

  select(matchers: readonly Matcher[]): number[] {
    return [...runAtOnce(selectSlots(this.index, this.matched, matchers))].sort((a, b) => a - b);
  }

  /** The answer by looking at every series. */
  scan(matchers: readonly Matcher[]): number[] {
    const selected = [...this.labels].filter(([, labels]) =>
      matchers.every((matcher) => matcher.matches(labels.get(matcher.name))),
    );
    return selected.map(([slot]) => slot).sort((a, b) => a - b);
  }
}

const labelSets = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y', 'z', 'xy', '')))
  .map((pairs) => Labels.from(pairs));
const matchers = fc
  .tuple(
    fc.constantFrom<MatchType>('=', '!=', '=~', '!~'),
    fc.constantFrom('a', 'b', 'c', 'd'),
    fc.constantFrom('', 'x', 'y', 'x|y', 'x.*', '.+', '.*', 'x?', 'none'),
  )
  .map(([type, name, value]) => new Matcher(type, name, value));

test('selecting by the index finds what looking at every series finds, also after removals and reuse of slots', () => {
  fc.assert(
    fc.property(
      fc.array(labelSets, { minLength: 1, maxLength: 60 }),
      fc.array(fc.array(matchers, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(59), { maxLength: 30 }),
      (sets, queries, removed) => {
        const series = new Series();
        for (const [i, labels] of sets.entries()) series.add(i + 1, labels);
        for (const query of queries) expect(series.select(query)).toEqual(series.scan(query));
        const gone = [...new Set(removed.map((i) => (i % sets.length) + 1))];
        series.remove(gone);
        for (const query of queries) expect(series.select(query)).toEqual(series.scan(query));
        for (const slot of gone) series.add(slot, sets[sets.length - slot] ?? sets[0]);
        for (const query of queries) expect(series.select(query)).toEqual(series.scan(query));
      },
    ),
  );
});

test('many candidates are filtered by lists and few by labels with the same result', () => {
  const series = new Series();
  for (let i = 1; i <= 10_000; i++)
    series.add(
      i,
      Labels.from({
        __name__: `m${i % 2}`,
        job: `j${i % 7}`,
        id: String(i),
        ...(i % 3 === 0 ? { rare: 'r' } : {}),
      }),
    );
  const queries = [
    [new Matcher('=', '__name__', 'm1'), new Matcher('!=', 'job', 'j3')],
    [new Matcher('=', '__name__', 'm1'), new Matcher('=~', 'id', '1.*'), new Matcher('=', 'rare', '')],
    [new Matcher('=~', 'id', '12.*'), new Matcher('!~', 'rare', '.+')],
    [new Matcher('!=', 'rare', 'r')],
    [new Matcher('=~', 'rare', '.*'), new Matcher('!=', 'job', '')],
    [new Matcher('=', 'nothing', 'x')],
    // 1,111 candidates; the list of the other is short, long, or of none.
    [new Matcher('=~', 'id', '12.*'), new Matcher('=', 'job', 'j3')],
    [new Matcher('=', 'id', '1201'), new Matcher('=', '__name__', 'm1')],
    [new Matcher('=~', 'id', '12.*'), new Matcher('=', 'job', 'j')],
  ];
  for (const query of queries) {
    expect(series.select(query)).toEqual(series.scan(query));
    expect(series.select(query)).toEqual(series.scan(query));
  }
});

test('a value that appears after a regular expression ran is found by its next run', () => {
  const series = new Series();
  series.add(1, Labels.from({ a: 'x1' }));
  const query = [new Matcher('=~', 'a', 'x[0-9]')];
  expect(series.select(query)).toEqual([1]);
  series.add(2, Labels.from({ a: 'x2' }));
  series.add(3, Labels.from({ a: 'y2' }));
  expect(series.select(query)).toEqual([1, 2]);
});
