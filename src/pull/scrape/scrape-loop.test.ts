import { expect, test } from 'vitest';
import { Household, type MemoryAnswer } from './testdata/scrape-fixture.ts';

const URL = 'http://a:1/metrics';
const CONFIG = `
global: { scrape_interval: 10s, scrape_timeout: 5s }
scrape_configs:
  - job_name: j
    static_configs: [{ targets: ['a:1'] }]
`;
const SELF = 'instance="a:1", job="j"';

/** Scrapes once per body, and stops. */
async function scrape(bodies: readonly (string | MemoryAnswer | Error | undefined)[], config = CONFIG) {
  const house = await Household.open(config);
  let next = 0;
  house.web.serve(URL, () => {
    const body = bodies[next++];
    return typeof body === 'string' ? { body } : body;
  });
  await house.scraper.start();
  // The last one may take as long as it is given.
  await house.clock.advance(bodies.length * 10_000 + (bodies.at(-1) === undefined ? 4999 : -1));
  await house.scraper.stop();
  return house;
}

/** Times of samples, from the first scrape. */
async function shown(house: Household): Promise<Record<string, string>> {
  const samples = await house.samples();
  const [, up] = Object.entries(samples).find(([series]) => series.includes('"up"')) ?? ['', '0:'];
  const first = Number(up.split(':')[0]);
  const shift = (text: string) =>
    text.replace(
      /(^| )([\d.]+):/g,
      (_, space: string, t: string) => `${space}${Math.round((Number(t) - first) * 1000) / 1000}:`,
    );
  return Object.fromEntries(Object.entries(samples).map(([series, text]) => [series, shift(text)]));
}

test('series that come, go and come back have samples and staleness markers at the times of the scrapes', async () => {
  const house = await scrape(['a 1\nb 1\n', 'a 2\n', 'a 3\nb 3\n', 'b 4\na 4\n']);
  expect(await shown(house)).toEqual({
    [`{__name__="a", ${SELF}}`]: '0:1 10:2 20:3 30:4',
    [`{__name__="b", ${SELF}}`]: '0:1 10:stale 20:3 30:4',
    [`{__name__="up", ${SELF}}`]: '0:1 10:1 20:1 30:1',
  });
  expect(await house.reported('scrape_samples_scraped')).toEqual([2, 1, 2, 2]);
  expect(await house.reported('scrape_series_added')).toEqual([2, 0, 1, 0]);
});

test('a scrape that fails makes series stale and up 0, and says why', async () => {
  const refused = new Error('connect ECONNREFUSED');
  const house = await scrape(['a 1\n', refused, 'a 3\n', { status: 500, body: 'oops' }, undefined]);
  expect(await shown(house)).toEqual({
    [`{__name__="a", ${SELF}}`]: '0:1 10:stale 20:3 30:stale',
    [`{__name__="up", ${SELF}}`]: '0:1 10:0 20:1 30:0 40:0',
  });
  const [target] = house.scraper.pools[0].targets;
  expect([target.health, target.lastError]).toEqual([
    'down',
    'no complete answer within 5s (scrape_timeout)',
  ]);
  expect((await house.reported('scrape_duration_seconds'))[4]).toBe(5);
});

test('as in Prometheus, what stands before a malformed line becomes stale one scrape later', async () => {
  const house = await scrape(['a 1\nb 1\n', 'a 2\n!\n', 'a 3\n!\n', '!\n']);
  expect(await shown(house)).toEqual({
    [`{__name__="a", ${SELF}}`]: '0:1 30:stale',
    [`{__name__="b", ${SELF}}`]: '0:1 10:stale',
    [`{__name__="up", ${SELF}}`]: '0:1 10:0 20:0 30:0',
  });
  expect(house.scraper.pools[0].targets[0].lastError).toMatch(/line 1: expected a valid start token/);
});

test('samples with a time of their own are stored under it and never become stale', async () => {
  const house = await Household.open(CONFIG);
  const t = house.clock.now() - 5000;
  let count = 0;
  house.web.serve(URL, () => ({ body: count++ === 0 ? `a 1 ${t}\n` : '' }));
  await house.scraper.start();
  await house.clock.advance(19_999);
  expect((await house.samples())[`{__name__="a", ${SELF}}`]).toBe('-5:1');
  await house.scraper.stop();
});

test('a series that is twice in a scrape has the first value, and is counted twice', async () => {
  const house = await scrape(['a{x="1"} 1\na{x="1"} 2\n']);
  expect((await shown(house))[`{__name__="a", ${SELF}, x="1"}`]).toBe('0:1');
  expect(await house.reported('scrape_samples_scraped')).toEqual([2]);
});

test('labels of the target win, and those exposed go on under another name', async () => {
  const house = await scrape(['a{job="x",exported_job="y",instance=""} 1\n']);
  expect(Object.keys(await shown(house))[0]).toBe(
    `{__name__="a", exported_exported_job="x", exported_job="y", ${SELF}}`,
  );
  const honoring = await scrape(
    ['a{job="x"} 1\n'],
    CONFIG.replace('job_name: j', 'job_name: j\n    honor_labels: true'),
  );
  expect(Object.keys(await shown(honoring))[0]).toBe('{__name__="a", instance="a:1", job="x"}');
  const empty = await scrape(
    ['a{job=""} 1\n'],
    CONFIG.replace('job_name: j', 'job_name: j\n    honor_labels: true'),
  );
  expect(Object.keys(await shown(empty))[0]).toBe('{__name__="a", instance="a:1"}');
});

test('samples are relabelled, dropped and limited', async () => {
  const rules = `job_name: j
    sample_limit: 2
    metric_relabel_configs:
      - { source_labels: [__name__], regex: 'go_.*', action: drop }
      - { regex: secret, action: labeldrop }`;
  const config = CONFIG.replace('job_name: j', rules);
  const house = await scrape(['go_x 1\na{secret="s"} 1\nb 1\n', 'go_x 1\na 1\nb 1\nc 1\n'], config);
  const samples = await shown(house);
  expect(Object.keys(samples)).toEqual([
    `{__name__="a", ${SELF}}`,
    `{__name__="b", ${SELF}}`,
    `{__name__="up", ${SELF}}`,
  ]);
  expect(samples[`{__name__="up", ${SELF}}`]).toBe('0:1 10:0');
  expect(await house.reported('scrape_samples_post_metric_relabeling')).toEqual([2, 3]);
  expect(house.scraper.pools[0].targets[0].lastError).toBe('sample limit exceeded');
});

test('a label that is too long fails the scrape', async () => {
  const config = CONFIG.replace('job_name: j', 'job_name: j\n    label_value_length_limit: 5');
  const house = await scrape(['a{x="123456"} 1\n'], config);
  expect(house.scraper.pools[0].targets[0].lastError).toMatch(/label_value_length_limit exceeded/);
});

test('a body that is too long fails the scrape', async () => {
  const config = CONFIG.replace(
    'job_name: j',
    'job_name: j\n    body_size_limit: 10B\n    extra_scrape_metrics: true',
  );
  const house = await scrape(['a 1\n', 'a 11111111111\n'], config);
  expect(await house.reported('scrape_body_size_bytes')).toEqual([4, -1]);
  expect(house.scraper.pools[0].targets[0].lastError).toBe('body size limit exceeded');
});

test('the request says what is wanted', async () => {
  const house = await scrape(
    ['a 1\n'],
    CONFIG.replace(
      'job_name: j',
      'job_name: j\n    params: { m: [x, y] }\n    basic_auth: { username: u, password: p }',
    ),
  );
  house.web.serve(`${URL}?m=x&m=y`, () => ({ body: '' }));
  const [request] = house.web.requests;
  expect(request.url).toBe(`${URL}?m=x&m=y`);
  expect(request.headers).toEqual({
    accept:
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    'accept-encoding': 'gzip',
    authorization: 'Basic dTpw',
    'user-agent': 'test',
    'x-prometheus-scrape-timeout-seconds': '5',
  });
});

test('what a target says of its metrics is kept, for the target and for the tenant', async () => {
  const house = await scrape([
    '# HELP a helps\n# TYPE a counter\na 1\n',
    '# HELP a more\n# TYPE a counter\na 2\n',
  ]);
  const [target] = house.scraper.pools[0].targets;
  const expected = { type: 'counter', help: 'more', unit: '' };
  expect([...target.families()].map(({ family, metadata }) => [family, metadata])).toEqual([['a', expected]]);
  expect([...house.db.head.metadata()].find(([name]) => name === 'a')?.[1][0]).toEqual(expected);
});

test('native histograms and exemplars are stored, and end with a stale histogram', async () => {
  const openMetrics = {
    headers: { 'content-type': 'application/openmetrics-text; version=1.0.0' },
    body: '# TYPE h histogram\nh_bucket{le="1.0"} 1 # {id="x"} 0.5\nh_bucket{le="+Inf"} 2\nh_count 2\nh_sum 3\n# EOF\n',
  };
  const config = CONFIG.replace('job_name: j', 'job_name: j\n    convert_classic_histograms_to_nhcb: true');
  const house = await scrape([openMetrics, 'b 1\n'], config);
  expect((await shown(house))[`{__name__="h", ${SELF}}`]).toBe('0:histogram(2) 10:stale');
  const classic = await scrape([openMetrics]);
  const exemplars = await classic.db.head.exemplars([[]], 0, Number.MAX_SAFE_INTEGER);
  expect(exemplars.map(({ exemplars: found }) => found.map(({ value }) => value))).toEqual([[0.5]]);
});
