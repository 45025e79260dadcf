import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { Relabeler } from '../../model/relabel.ts';
import { KnownLines } from './known-lines.ts';
import { readScrape } from './read-scrape.ts';
import { SampleLabels } from './sample-labels.ts';
import { ScrapeBatch } from './scrape-batch.ts';

const LABELS = new SampleLabels(Labels.from({ job: 'j' }), {
  honorLabels: false,
  metricRelabeler: new Relabeler([{ sourceLabels: ['__name__'], regex: 'dropped.*', action: 'drop' }]),
  nameScheme: 'utf8',
  externalLabels: Labels.empty,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
});
const OPTIONS = { honorTimestamps: true, sampleLimit: 6, bucketLimit: 0, schemaMax: 8, fallback: undefined };
const HISTOGRAMS = { native: false, keepClassic: false, convertClassic: false };

/** What is read of a body, in words. All series that are read get a place, so that they are known the next time. */
function read(body: string, type: string, known: KnownLines): string {
  const batch = new ScrapeBatch();
  const found = readScrape(Buffer.from(body), type, HISTOGRAMS, OPTIONS, known, LABELS, batch);
  const samples: string[] = [];
  for (let i = 0; i < batch.count; i++) {
    const line = batch.lines[i];
    if (line.slot === 0) Object.assign(line, { slot: 1, labels: undefined });
    samples.push(`${line.key} ${batch.values[i]} ${batch.times[i]}`);
  }
  known.endIteration(found.problem === undefined);
  const { total, added, duplicates, problem } = found;
  const families = [...known.families.values()]
    .filter(({ seen }) => seen === known.iteration - 1)
    .map(({ family, metadata }) => `${family} ${JSON.stringify(metadata)}`);
  const exemplars = batch.exemplars.map(
    ({ line, exemplar }) => `${line.key} ${exemplar.labels} ${exemplar.value}`,
  );
  return JSON.stringify({
    samples,
    total,
    added,
    duplicates,
    problem: problem?.message,
    families,
    exemplars,
  });
}

const LINES = [
  'a 1\n',
  'a 2\n',
  'a{x="1"} 1\n',
  'a {x="1"} 3\n',
  'a{x="1"} 2 1000\n',
  'ab 1\n',
  'dropped_a 1\n',
  'dropped_b{x="1"} 2\n',
  '# HELP a helps\n',
  '# HELP a other\n',
  '# TYPE a counter\n',
  '# TYPE a gauge\n',
  '# TYPE h histogram\n',
  'h_bucket{le="1"} 1\n',
  '# a comment\n',
  '\n',
  '  \n',
  ' a 1\n',
  'a\n',
  'a{x="1"\n',
  '!\n',
];

const OPEN_METRICS_LINES = [
  'a 1\n',
  'a 1 2.5\n',
  'a{x="1"} 1 # {id="y"} 2\n',
  'a{x="1"} 1\n',
  '# TYPE a counter\n',
  '# HELP a helps\n',
  'dropped_a 1 # {id="y"} 2\n',
  'a  1\n',
  '# EOF\n',
];

test.each([
  ['text/plain', LINES, ''],
  ['application/openmetrics-text', OPEN_METRICS_LINES, '# EOF\n'],
])('%s is read the same whether its lines are known or not', (type, pool, end) => {
  const body = fc.array(fc.constantFrom(...pool), { maxLength: 12 }).map((parts) => parts.join('') + end);
  fc.assert(
    fc.property(fc.array(body, { minLength: 2, maxLength: 6 }), (bodies) => {
      const known = new KnownLines();
      for (const one of bodies) {
        const fresh = JSON.parse(read(one, type, new KnownLines()));
        const again = JSON.parse(read(one, type, known));
        // What was said of a family before stays where this body says less.
        expect({ ...again, families: [] }).toEqual({ ...fresh, families: [] });
        if (fresh.problem === undefined) expect(again.families).toHaveLength(fresh.families.length);
      }
    }),
    { numRuns: 1000 },
  );
});
