import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { admitAll } from '../../tsdb/head/series-table.ts';
import { Household, type MemoryAnswer } from './testdata/scrape-fixture.ts';

const URL = 'http://a:1/metrics';
const CONFIG = `
global: { scrape_interval: 10s, scrape_timeout: 5s }
scrape_configs:
  - job_name: j
    static_configs: [{ targets: ['a:1'] }]
    metric_relabel_configs: [{ source_labels: [__name__], regex: dropped, action: drop }]
`;

async function scraped(answers: readonly (MemoryAnswer | Error)[]): Promise<Record<string, unknown>> {
  const house = await Household.open(CONFIG);
  let next = 0;
  house.web.serve(URL, () => answers[next++]);
  await house.scraper.start();
  await house.clock.advance(answers.length * 10_000 - 1);
  await house.scraper.stop();
  const reports = ['scrape_samples_scraped', 'scrape_samples_post_metric_relabeling', 'scrape_series_added'];
  const told = await Promise.all(reports.map((name) => house.reported(name)));
  return { samples: await house.samples(), told };
}

const VALUES = ['1', '2.5', '-0.25', '1e+06', 'NaN', '+Inf', '0.1234567890123456789', '123456789.012345'];
const LINES = ['a', 'a{x="1"}', 'b{y="ä"}', 'dropped', 'c', 'd'];

/** Bodies that come several times in a row, each time with other values. */
const phase = fc.record({
  lines: fc.subarray(LINES, { minLength: 1 }),
  values: fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 7 }),
  suffix: fc.constantFrom('', '', '', ' 1', '\n\n', ' {'),
  times: fc.integer({ min: 1, max: 7 }),
  fails: fc.boolean(),
  isZipped: fc.boolean(),
});

test('what is stored of lines that come again and again is what is stored of lines that never do', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(phase, { minLength: 1, maxLength: 4 }), async (phases) => {
      let round = 0;
      const bodies = phases.flatMap(({ lines, values, suffix, times, fails, isZipped }) => [
        ...Array.from({ length: times }, () => {
          const texts = lines.map((line, i) => `${line} ${values[(i + round) % values.length]}`);
          round++;
          return { text: `# TYPE a counter\n${texts.join('\n')}${suffix}\n`, isZipped };
        }),
        ...(fails ? [new Error('connect ECONNREFUSED')] : []),
      ]);
      const answers = (changes: (text: string, i: number) => string) =>
        bodies.map((body, i) => {
          if (body instanceof Error) return body;
          const text = Buffer.from(changes(body.text, i));
          return body.isZipped
            ? { body: gzipSync(text), headers: { 'content-encoding': 'gzip' } }
            : { body: text };
        });
      const again = await scraped(answers((text) => text));
      const never = await scraped(answers((text, i) => `# comment ${i}\n${text}`));
      expect(again).toEqual(never);
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('series that the storage does not take for a while are left out though their lines are the same', async () => {
  const run = async (comment: (round: number) => string) => {
    const house = await Household.open(CONFIG);
    let round = 0;
    house.web.serve(URL, () => ({ body: `${comment(round)}a ${round++}\nb 1\n` }));
    await house.scraper.start();
    await house.clock.advance(59_999);
    const labels = Labels.from({ __name__: 'a', instance: 'a:1', job: 'j' });
    const ahead = house.clock.now() + 25_000;
    await house.db.writeSeries(admitAll, (target) =>
      target.append(target.resolve(labels) as number, ahead, 99),
    );
    await house.clock.advance(60_000);
    await house.scraper.stop();
    return { samples: await house.samples(), added: await house.reported('scrape_series_added') };
  };
  const again = await run(() => '');
  expect(again).toEqual(await run((round) => `# comment ${round}\n`));
  expect(again.samples['{__name__="b", instance="a:1", job="j"}'].split(' ')).toHaveLength(12);
  expect(again.samples['{__name__="a", instance="a:1", job="j"}'].split(' ')).toHaveLength(10 + 1);
});
