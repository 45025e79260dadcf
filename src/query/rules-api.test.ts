import { expect, test } from 'vitest';
import type { HttpRequest } from '../platform/http.ts';
import { metadataRoutes } from './metadata-api.ts';
import { rulesRoutes } from './rules-api.ts';
import type { ServiceReader } from './service-reader.ts';
import { targetsRoutes } from './targets-api.ts';

const set = (labels: Record<string, string>) => ({
  labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
});

const rule = (name: string, labels: Record<string, string>, seconds = 1000) => ({
  name,
  query: 'up == 0',
  labels: set(labels),
  health: 'ok',
  last_error: '',
  evaluation_duration_seconds: 0.5,
  last_evaluation: { seconds, nanos: 250_000_000 },
});

const alert = (name: string, labels: Record<string, string>, state: number) => ({
  ...rule(name, labels),
  state,
  duration_seconds: 60,
  annotations: set({ summary: 'Nothing.' }),
  alerts: [
    { labels: set({ ...labels, instance: 'x' }), state, active_at: { seconds: 900, nanos: 0 }, value: '0' },
  ],
});

const groupOf = (name: string, file: string, rules: object[]) => ({
  group: { name, file, rules, interval: 15, evaluation_duration_seconds: 1 },
});

/** Two replicas that say the same, as two endpoints would. */
const RULES = ['a', 'b'].flatMap((replica) => [
  groupOf('web', 'f.yml', [
    { recording: rule('job:up', { replica }) },
    { alert: alert('Quiet', { severity: 'page', replica }, replica === 'a' ? 2 : 3) },
    { alert: alert('Templated', { severity: '{{ $value }}', replica }, 1) },
  ]),
  groupOf('db', 'g.yml', [{ alert: alert('Full', { severity: 'ticket', replica }, 1) }]),
]);

const target = (pool: string, health: number) => ({
  discoveredLabels: set({ __address__: 'x:1' }),
  labels: set({ job: pool, replica: String(health) }),
  scrapePool: pool,
  scrapeUrl: 'http://x:1/metrics',
  globalUrl: 'http://x:1/metrics',
  lastError: '',
  lastScrape: { seconds: 1000, nanos: 0 },
  lastScrapeDuration: 0.1,
  health,
});

const ANSWERS: Record<string, object[]> = {
  rules: RULES,
  targets: [
    { targets: { activeTargets: [target('web', 1), target('db', 0)], droppedTargets: [] } },
    {
      targets: { activeTargets: [target('web', 0)], droppedTargets: [{ discoveredLabels: set({ a: 'b' }) }] },
    },
  ],
  metadata: [
    { metadata: { metadata: { up: { metas: [{ type: 'gauge', help: 'Up.', unit: '' }] } } } },
    {
      metadata: {
        metadata: {
          up: {
            metas: [
              { type: 'gauge', help: 'Up.', unit: '' },
              { type: 'unknown', help: '', unit: '' },
            ],
          },
          a: { metas: [{ type: 'counter', help: '', unit: '' }] },
        },
      },
    },
  ],
};

function reader(warnings: string[] = []): ServiceReader {
  return {
    ask: async ({ service }) => ({ messages: ANSWERS[service] as never[], warnings }),
    replicaLabels: ({ dedup }) => new Set(dedup ? ['replica'] : []),
  };
}

async function get(url: string, warnings: string[] = []) {
  const from = reader(warnings);
  const routes = [...rulesRoutes(from), ...targetsRoutes(from), ...metadataRoutes(from)];
  const { pathname, searchParams } = new URL(url, 'http://x');
  const route = routes.find(({ path }) => path === pathname)!;
  const request: HttpRequest = {
    method: 'GET',
    path: pathname,
    params: {},
    query: searchParams,
    headers: {},
    tenant: 'anonymous',
    body: new Uint8Array(),
    signal: new AbortController().signal,
  };
  const { headers, body } = await route.handle(request);
  return { ...JSON.parse(body as string), cache: headers?.['cache-control'] };
}

const names = ({ data }: { data: { groups: { rules: { name: string }[] }[] } }) =>
  data.groups.flatMap(({ rules }) => rules.map(({ name }) => name));

test('rules have Prometheus’ shape, replicas are one and the firing one speaks', async () => {
  const { data, cache } = await get('/api/v1/rules');
  expect(cache).toBeUndefined();
  expect(data.groups[0]).toMatchObject({ name: 'web', file: 'f.yml', interval: 15, evaluationTime: 1 });
  expect(data.groups[0].rules.slice(0, 2)).toEqual([
    {
      name: 'job:up',
      query: 'up == 0',
      health: 'ok',
      evaluationTime: 0.5,
      lastEvaluation: '1970-01-01T00:16:40.250Z',
      type: 'recording',
    },
    {
      state: 'firing',
      name: 'Quiet',
      query: 'up == 0',
      labels: { severity: 'page' },
      health: 'ok',
      evaluationTime: 0.5,
      lastEvaluation: '1970-01-01T00:16:40.250Z',
      duration: 60,
      keepFiringFor: 0,
      annotations: { summary: 'Nothing.' },
      alerts: [
        {
          labels: { instance: 'x', severity: 'page' },
          annotations: {},
          state: 'firing',
          activeAt: '1970-01-01T00:15:00.000Z',
          value: '0',
        },
      ],
      type: 'alerting',
    },
  ]);
});

test('without deduplication the rules of each replica are shown', async () => {
  expect(names(await get('/api/v1/rules?dedup=false'))).toHaveLength(8);
});

test('rules are filtered by type, name, group, file and labels', async () => {
  expect(names(await get('/api/v1/rules?type=record'))).toEqual(['job:up']);
  expect(names(await get('/api/v1/rules?rule_name[]=Full&rule_name[]=Quiet'))).toEqual(['Quiet', 'Full']);
  expect(names(await get('/api/v1/rules?rule_group[]=db'))).toEqual(['Full']);
  expect(names(await get('/api/v1/rules?file[]=f.yml&type=alert'))).toEqual(['Quiet', 'Templated']);
  expect(names(await get('/api/v1/rules?match[]={severity=~".*e.*"}'))).toEqual(['Quiet', 'Full']);
  await expect(get('/api/v1/rules?type=other')).rejects.toThrow('invalid parameter "type"');
});

test('groups come in pages, and alerts can be left out', async () => {
  const first = await get('/api/v1/rules?group_limit=1&exclude_alerts=true');
  expect(first.data.groups.map((group: { name: string }) => group.name)).toEqual(['web']);
  expect(first.data.groups[0].rules[1].alerts).toEqual([]);
  const next = await get(`/api/v1/rules?group_limit=1&group_next_token=${first.data.groupNextToken}`);
  expect(next.data.groups.map((group: { name: string }) => group.name)).toEqual(['db']);
  expect(next.data.groupNextToken).toBeUndefined();
  await expect(get('/api/v1/rules?group_limit=1&group_next_token=x')).rejects.toThrow('group_next_token');
});

test('alerts are those of all rules', async () => {
  const { data } = await get('/api/v1/alerts');
  expect(data.alerts.map(({ state }: { state: string }) => state)).toEqual([
    'firing',
    'inactive',
    'inactive',
  ]);
});

test('an answer that may lack something says so and is not to be cached', async () => {
  for (const path of ['rules', 'alerts', 'targets', 'metadata', 'scrape_pools']) {
    const { warnings, cache } = await get(`/api/v1/${path}`, ['x:1: gone']);
    expect(warnings, path).toEqual(['x:1: gone']);
    expect(cache, path).toBe('no-store');
  }
});

test('targets are chosen by state and pool', async () => {
  const all = await get('/api/v1/targets');
  expect(
    all.data.activeTargets.map((one: { health: string; scrapePool: string }) => [one.scrapePool, one.health]),
  ).toEqual([
    ['web', 'up'],
    ['db', 'down'],
  ]);
  expect(all.data.droppedTargets).toEqual([{ discoveredLabels: { a: 'b' } }]);
  const dropped = await get('/api/v1/targets?state=dropped');
  expect(dropped.data.activeTargets).toEqual([]);
  expect((await get('/api/v1/targets?state=active&scrapePool=db')).data.activeTargets).toHaveLength(1);
  expect((await get('/api/v1/scrape_pools')).data).toEqual({ scrapePools: ['db', 'web'] });
});

test('metadata are merged before limits count', async () => {
  const { data } = await get('/api/v1/metadata');
  expect(Object.keys(data)).toEqual(['a', 'up']);
  expect(data.up).toHaveLength(2);
  expect(Object.keys((await get('/api/v1/metadata?limit=1')).data)).toEqual(['a']);
  expect((await get('/api/v1/metadata?metric=up&limit_per_metric=1')).data).toEqual({
    up: [{ type: 'gauge', help: 'Up.', unit: '' }],
  });
});
