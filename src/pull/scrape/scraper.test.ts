import { expect, test } from 'vitest';
import { Household } from './testdata/scrape-fixture.ts';

function config(jobs: string, global = ''): string {
  return `global: { scrape_interval: 10s${global} }\nscrape_configs:\n${jobs}`;
}

function job(name: string, targets: string, more = ''): string {
  return `  - job_name: ${name}\n    static_configs: [{ targets: [${targets}] }]\n${more}`;
}

async function household(text: string): Promise<Household> {
  const house = await Household.open(text);
  for (const host of ['a', 'b']) house.web.serve(`http://${host}:1/metrics`, () => ({ body: 'x 1\n' }));
  await house.scraper.start();
  return house;
}

function times(text: string | undefined): string[] {
  return (text ?? '').split(' ').map((sample) => sample.split(':')[1]);
}

test('a target that is gone becomes stale two intervals later; the others go on', async () => {
  const house = await household(config(job('j', 'a:1, b:1')));
  await house.clock.advance(19_999);
  house.config = config(job('j', 'b:1'));
  await house.scraper.reload();
  await house.clock.advance(40_000);
  await house.scraper.stop();
  const samples = await house.samples();
  expect(times(samples['{__name__="x", instance="a:1", job="j"}'])).toEqual(['1', '1', 'stale']);
  expect(times(samples['{__name__="up", instance="a:1", job="j"}'])).toEqual(['1', '1', 'stale']);
  expect(times(samples['{__name__="x", instance="b:1", job="j"}'])).toEqual(['1', '1', '1', '1', '1', '1']);
});

test('a reload that changes nothing of a job restarts nothing', async () => {
  const house = await household(config(job('j', 'a:1')));
  const [before] = house.scraper.pools;
  house.config = config(`${job('j', 'a:1')}${job('k', 'b:1')}`);
  await house.scraper.reload();
  expect(house.scraper.pools.map((pool) => pool.job.job_name)).toEqual(['j', 'k']);
  expect(house.scraper.pools[0]).toBe(before);
  await house.scraper.stop();
});

test('a job that changed goes on with its series without a marker in between', async () => {
  const house = await household(config(job('j', 'a:1')));
  await house.clock.advance(19_999);
  house.config = config(job('j', 'a:1', '    sample_limit: 5\n'));
  await house.scraper.reload();
  await house.clock.advance(40_000);
  await house.scraper.stop();
  const found = times((await house.samples())['{__name__="x", instance="a:1", job="j"}']);
  expect(new Set(found)).toEqual(new Set(['1']));
  expect(found.length).toBeGreaterThanOrEqual(6);
});

test('a stop leaves no markers', async () => {
  const house = await household(config(job('j', 'a:1')));
  await house.clock.advance(9_999);
  await house.scraper.stop();
  await house.clock.advance(60_000);
  expect(times((await house.samples())['{__name__="x", instance="a:1", job="j"}'])).toEqual(['1']);
});

test('a configuration that is broken leaves the old one in force', async () => {
  const house = await household(config(job('j', 'a:1')));
  house.config = 'scrape_configs: [{ job_name: j, nothing: 1 }]';
  await house.scraper.reload();
  expect(house.scraper.pools[0].targets).toHaveLength(1);
  await house.scraper.stop();
});

test('too many targets make all of them fail', async () => {
  const house = await household(config(job('j', 'a:1, b:1', '    target_limit: 1\n')));
  await house.clock.advance(9_999);
  expect(house.scraper.pools[0].targets.map(({ lastError }) => lastError)).toEqual(
    Array(2).fill('target_limit exceeded (number of targets: 2, limit: 1)'),
  );
  await house.scraper.stop();
});

test('external labels are added where a series has none of the name', async () => {
  const house = await household(config(job('j', 'a:1'), ', external_labels: { cluster: c, job: no }'));
  await house.clock.advance(9_999);
  await house.scraper.stop();
  expect(Object.keys(await house.samples())).toEqual([
    '{__name__="up", cluster="c", instance="a:1", job="j"}',
    '{__name__="x", cluster="c", instance="a:1", job="j"}',
  ]);
});

test('files of targets are followed, and a broken one keeps its targets', async () => {
  const house = await Household.open(
    config("  - job_name: j\n    file_sd_configs: [{ files: ['/t/*.json', '/t/x.yml'] }]\n"),
  );
  const write = async (path: string, text: string) => {
    await house.disk.makeDir('/t');
    await house.disk.writeFileAtomic(path, Buffer.from(text));
    await house.clock.advance(5000);
  };
  await house.scraper.start();
  await write('/t/a.json', '[{"targets": ["a:1"], "labels": {"env": "e"}}]');
  const targets = () => house.scraper.pools[0].targets.map(({ labels }) => labels.toString());
  expect(targets()).toEqual(['{env="e", instance="a:1", job="j"}']);
  await write('/t/x.yml', '- targets: [b:1, c:1]\n');
  expect(targets()).toHaveLength(3);
  await write('/t/a.json', '[{"targets": [');
  expect(targets()).toHaveLength(3);
  await house.disk.remove('/t/x.yml');
  await house.clock.advance(5000);
  expect(targets()).toHaveLength(1);
  expect(house.scraper.pools[0].targets[0].discovered.get('__meta_filepath')).toBe('/t/a.json');
  await house.scraper.stop();
});

test('a server tells targets, and while it fails they stay', async () => {
  const house = await Household.open(
    config('  - job_name: j\n    http_sd_configs: [{ url: http://sd/x, refresh_interval: 10s }]\n'),
  );
  let answer: string | undefined = '[{"targets": ["a:1"], "labels": {"env": "e"}}]';
  house.web.serve('http://sd/x', () =>
    answer === undefined
      ? { status: 500, body: '' }
      : { headers: { 'content-type': 'application/json; charset=utf-8' }, body: answer },
  );
  await house.scraper.start();
  await house.clock.advance(1000);
  const urls = () => house.scraper.pools[0].targets.map(({ url }) => url);
  expect(urls()).toEqual(['http://a:1/metrics']);
  answer = undefined;
  await house.clock.advance(20_000);
  expect(urls()).toEqual(['http://a:1/metrics']);
  answer = '[]';
  await house.clock.advance(20_000);
  expect(urls()).toEqual([]);
  await house.scraper.stop();
});
