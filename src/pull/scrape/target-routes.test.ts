import { expect, test } from 'vitest';
import type { HttpRequest } from '../../platform/http.ts';
import { parseMatchers } from '../../promql/parser/parse.ts';
import { targetRoutes } from './target-routes.ts';
import { targetService } from './target-service.ts';
import { Household } from './testdata/scrape-fixture.ts';

const CONFIG = `
global: { scrape_interval: 10s }
scrape_configs:
  - job_name: j
    static_configs: [{ targets: ['a:1', 'down:1', 'dropped:1'] }]
    relabel_configs: [{ source_labels: [__address__], regex: 'dropped.*', action: drop }]
`;

async function household() {
  const house = await Household.open(CONFIG);
  house.web.serve('http://a:1/metrics', () => ({
    body: '# TYPE x counter\n# HELP x helps\nx 1\n# TYPE y gauge\ny 1\n',
  }));
  await house.scraper.start();
  await house.clock.advance(9_999);
  await house.scraper.stop();
  const routes = targetRoutes({
    tenant: 't',
    pools: () => house.scraper.pools,
    parseSelector: parseMatchers,
  });
  const get = async (path: string, query = '', tenant = 't') => {
    const route = routes.find((one) => one.path === path);
    const answer = await route?.handle({ tenant, query: new URLSearchParams(query) } as HttpRequest);
    return String(answer?.body);
  };
  return { house, get };
}

test('metadata are told by target, selector and metric', async () => {
  const { get } = await household();
  const ask = async (query: string, tenant?: string) =>
    JSON.parse(await get('/api/v1/targets/metadata', query, tenant)).data;
  const target = { instance: 'a:1', job: 'j' };
  expect(await ask('')).toEqual([
    { target, metric: 'x', type: 'counter', help: 'helps', unit: '' },
    { target, metric: 'y', type: 'gauge', help: '', unit: '' },
  ]);
  expect(await ask('metric=x')).toEqual([{ target, type: 'counter', help: 'helps', unit: '' }]);
  expect(await ask('match_target={instance="b:1"}')).toEqual([]);
  expect(await ask('limit=1')).toHaveLength(1);
  expect(await ask('', 'another')).toEqual([]);
});

test('the page tells first who is down, and why', async () => {
  const { get } = await household();
  const lines = (await get('/targets')).split('\n');
  expect(lines[0]).toBe('j: 1 of 2 up, 1 dropped');
  expect(lines[1]).toMatch(/down {4}http:\/\/down:1\/metrics/);
  expect(lines[2]).toMatch(/ECONNREFUSED/);
  expect(lines[3]).toMatch(/up {6}http:\/\/a:1\/metrics/);
  expect(await get('/targets', '', 'another')).toBe('nothing is scraped\n');
});

test('the targets of one tenant are told to that one, as thanos.Targets', async () => {
  const { house } = await household();
  const { Targets } = targetService('t', () => house.scraper.pools).methods;
  const ask = async (tenant: string, state: number) => {
    const found = [];
    for await (const message of Targets(tenant, { state } as never, new AbortController().signal))
      found.push(message);
    return found as { targets: { activeTargets: object[]; droppedTargets: object[] } }[];
  };
  const [{ targets }] = await ask('t', 0);
  expect([targets.activeTargets.length, targets.droppedTargets.length]).toEqual([2, 1]);
  expect(targets.activeTargets[0]).toMatchObject({
    scrapePool: 'j',
    health: 1,
    lastError: '',
    scrapeInterval: '10s',
  });
  expect((await ask('t', 2))[0].targets.activeTargets).toEqual([]);
  expect(await ask('another', 0)).toEqual([]);
});
