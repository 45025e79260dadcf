import { expect, test } from 'vitest';
import { Metrics } from './metrics.ts';
import { type CountFamily, SharedCounts } from './shared-counts.ts';

const READS: CountFamily = { name: 'reads_total', help: 'Reads.', label: 'kind', values: ['old', 'new'] };
const SECONDS: CountFamily = {
  name: 'read_seconds',
  help: 'Time of reads.',
  label: 'kind',
  values: ['old', 'new'],
  bounds: [0.01, 1],
};
const FAMILIES = [READS, SECONDS];

test('two who share the memory count together, and a scrape shows the sum', async () => {
  const one = new SharedCounts(FAMILIES);
  const other = new SharedCounts(FAMILIES, one.memory);
  const metrics = new Metrics();
  metrics.show(one);
  one.add(READS, 'old');
  other.add(READS, 'old', 41);
  one.observe(SECONDS, 'new', 0.01);
  other.observe(SECONDS, 'new', 0.5);
  other.observe(SECONDS, 'new', 2.000001);
  expect(one.count(READS, 'old')).toBe(42);
  expect(await metrics.registry.metrics()).toBe(`# HELP reads_total Reads.
# TYPE reads_total counter
reads_total{kind="old"} 42
reads_total{kind="new"} 0

# HELP read_seconds Time of reads.
# TYPE read_seconds histogram
read_seconds_bucket{le="0.01",kind="new"} 1
read_seconds_bucket{le="1",kind="new"} 2
read_seconds_bucket{le="+Inf",kind="new"} 3
read_seconds_sum{kind="new"} 2.510001
read_seconds_count{kind="new"} 3
`);
});

test('what nobody named beforehand is not counted, nor in memory of other families', () => {
  const counts = new SharedCounts(FAMILIES);
  expect(() => counts.add(READS, 'other')).toThrow('named beforehand');
  expect(() => new SharedCounts([READS], counts.memory)).toThrow('the same families');
});

test('counts beyond 32 bits are exact', () => {
  const counts = new SharedCounts(FAMILIES);
  counts.add(READS, 'old', 2 ** 40 + 1);
  counts.add(READS, 'old', 2 ** 40);
  expect(counts.count(READS, 'old')).toBe(2 ** 41 + 1);
  expect(counts.count(READS, 'new')).toBe(0);
});
