import { gunzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { SystemClock } from '../platform/clock.ts';
import type { HttpRequest, HttpResponse } from '../platform/http.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { localChannel, type Thread } from '../platform/threads.ts';
import { KernelPool } from '../promql/exec/kernel-pool.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { Answerer } from './answer.ts';
import { queryRoutes } from './api.ts';
import type { QueryJob } from './jobs.ts';
import { ThreadHost } from './thread-host.ts';
import { ThreadPool } from './thread-pool.ts';

const clock = new SystemClock();
const open: ThreadPool[] = [];
const NO_LIMITS = { samplesMax: 0, seriesMax: 0, mint: Number.NEGATIVE_INFINITY };

afterEach(async () => {
  for (const pool of open.splice(0)) await pool.close();
});

/** The API over storage in memory; queries run behind a channel in this thread. */
async function serve(options: { timeoutMs?: number; queuedMax?: number } = {}) {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let i = 0; i <= 20; i++)
    for (const instance of ['a', 'b']) {
      const labels = Labels.from({ __name__: 'requests_total', instance });
      appender.append(labels, i * 15_000, i * (instance === 'a' ? 10 : 20));
    }
  await appender.commit();
  const start = (): Thread => {
    const [near, far] = localChannel();
    const answerer = new Answerer({ clock }, 300_000);
    const answer: Answerer['answer'] = (...args) => answerer.answer(...args);
    new ThreadHost(far, { open: () => storage, answer, clock, kernels: new KernelPool() });
    return { ...near, onExit() {}, stop: async () => {} };
  };
  const limits = { threads: 2, concurrencyMax: 2, queuedMax: 10, timeoutMs: 10_000, ...options };
  const pool = new ThreadPool(limits, start, clock, silentLogger, new Metrics());
  open.push(pool);
  const view = () => ({
    description: undefined,
    serve: async () => ({ reply: undefined, transfer: [] }),
    release() {},
  });
  const routes = queryRoutes({
    clock,
    parse: {},
    run: (tenant, job, caller, timeoutMs, accepts) =>
      pool.run(tenant, job, NO_LIMITS, view, caller, timeoutMs, accepts),
  });
  const get = async (
    url: string,
    headers: HttpRequest['headers'] = {},
    signal = new AbortController().signal,
  ): Promise<HttpResponse> => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    for (const route of routes) {
      const pattern = new RegExp(`^${route.path.replace(':name', '([^/]+)')}$`);
      const match = pattern.exec(pathname);
      if (!match) continue;
      const request: HttpRequest = {
        method: 'GET',
        path: pathname,
        params: { name: decodeURIComponent(match[1] ?? '') },
        query: searchParams,
        headers,
        tenant: 'anonymous',
        body: new Uint8Array(),
        signal,
      };
      return route.handle(request);
    }
    throw new Error(`no route for ${pathname}`);
  };
  const json = async (url: string) => {
    const { body } = await get(url);
    return JSON.parse(body instanceof Uint8Array ? Buffer.from(body).toString() : String(body));
  };
  return { get, json };
}

test('an instant query gives a vector in Prometheus’ shape', async () => {
  const { json } = await serve();
  expect(await json('/api/v1/query?query=requests_total&time=300')).toEqual({
    status: 'success',
    data: {
      resultType: 'vector',
      result: [
        { metric: { __name__: 'requests_total', instance: 'a' }, value: [300, '200'] },
        { metric: { __name__: 'requests_total', instance: 'b' }, value: [300, '400'] },
      ],
    },
  });
});

test('a range query gives a matrix with times as seconds', async () => {
  const { json } = await serve();
  const answer = await json(
    '/prometheus/api/v1/query_range?query=sum(rate(requests_total[1m]))&start=120&end=150.5&step=15.25',
  );
  expect(answer.data.resultType).toBe('matrix');
  expect(answer.data.result[0].values).toEqual([
    [120, '2'],
    [135.25, '2'],
    [150.5, '2'],
  ]);
});

test('scalars, strings and raw samples have their own result types', async () => {
  const { json } = await serve();
  expect((await json('/api/v1/query?query=1e-7&time=1')).data).toEqual({
    resultType: 'scalar',
    result: [1, '1e-07'],
  });
  expect((await json('/api/v1/query?query="x"&time=1')).data).toEqual({
    resultType: 'string',
    result: [1, 'x'],
  });
  const raw = await json('/api/v1/query?query=requests_total{instance="a"}[30s]&time=300');
  expect(raw.data.resultType).toBe('matrix');
  expect(raw.data.result[0].values).toEqual([
    [285, '190'],
    [300, '200'],
  ]);
});

test('label names, values and series are listed, and cut at a limit with a warning', async () => {
  const { json } = await serve();
  expect((await json('/api/v1/labels')).data).toEqual(['__name__', 'instance']);
  expect((await json('/api/v1/label/instance/values')).data).toEqual(['a', 'b']);
  const cut = await json('/api/v1/label/instance/values?limit=1');
  expect(cut).toMatchObject({ data: ['a'], warnings: ['results truncated due to limit'] });
  expect((await json('/api/v1/series?match[]=requests_total')).data).toHaveLength(2);
});

test('federation gives the newest samples as text', async () => {
  const { get } = await serve();
  const { body } = await get(`/federate?match[]=${encodeURIComponent('{__name__="requests_total"}')}`);
  // The samples are old: nothing within the lookback delta.
  expect(Buffer.from(body as Uint8Array).toString()).toBe('');
});

test.each([
  [
    '/api/v1/query?query=up{',
    'bad_data',
    /^invalid parameter "query": 1:4: parse error: unexpected end of input/,
  ],
  [
    '/api/v1/query?query=up&time=yesterday',
    'bad_data',
    /^invalid parameter "time": invalid time value for 'time': cannot parse "yesterday" to a valid timestamp$/,
  ],
  [
    '/api/v1/query_range?query=up&start=2&end=1&step=1',
    'bad_data',
    /end timestamp must not be before start time/,
  ],
  [
    '/api/v1/query_range?query=up&start=0&end=1&step=0',
    'bad_data',
    /zero or negative query resolution step widths/,
  ],
  [
    '/api/v1/query_range?query=up&start=0&end=11002&step=1',
    'bad_data',
    /exceeded maximum resolution of 11,000 points/,
  ],
  ['/api/v1/series', 'bad_data', /no match\[\] parameter provided/],
  ['/api/v1/series?match[]={a=~".*"}', 'bad_data', /match\[\] must contain at least one non-empty matcher/],
  ['/api/v1/labels?limit=-1', 'bad_data', /^invalid parameter "limit": limit must be non-negative$/],
  [
    '/api/v1/labels?limit=x',
    'bad_data',
    /^invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax$/,
  ],
  [
    '/api/v1/query?query=up&lookback_delta=x',
    'bad_data',
    /^error parsing lookback delta duration: cannot parse "x" to a valid duration$/,
  ],
  ['/api/v1/query?query=up&engine=other', 'bad_data', /^invalid parameter "engine": bad engine "other"$/],
  [
    '/api/v1/query?query=up&shard_info={"shard_index":2,"total_shards":2}',
    'bad_data',
    /^shard 2 of 2 \(at most 4096\) does not exist$/,
  ],
  ['/api/v1/query?query=up&shard_info=2,3', 'bad_data', /^invalid parameter "shard_info": it is no JSON$/],
  ['/api/v1/query?query=up&shard_info={"by":1}', 'bad_data', /^invalid parameter "shard_info": expected/],
  [
    '/api/v1/query?query=up&max_source_resolution=-5m',
    'bad_data',
    /^invalid parameter "max_source_resolution"/,
  ],
  ['/api/v1/query?query=up&partial_response=maybe', 'bad_data', /^invalid parameter "partial_response"/],
  ['/api/v1/query?query=up&storeMatch[]={a', 'bad_data', /^invalid parameter "storeMatch\[\]"/],
  [
    '/api/v1/query_exemplars?query=up&start=2&end=1',
    'bad_data',
    /^end timestamp must not be before start timestamp$/,
  ],
])('%s is refused as %s', async (url, code, words) => {
  const { get } = await serve();
  const refused = (async () => get(url))();
  await expect(refused).rejects.toMatchObject({ code });
  await expect(refused).rejects.toThrow(words);
});

test('exemplars are asked over all time, and federation without a selector gives nothing, as in Prometheus', async () => {
  const { get } = await serve();
  expect((await get('/api/v1/query_exemplars?query=up')).status).toBe(200);
  expect((await get('/federate')).status).toBe(200);
});

test('a client that hangs up cancels its query', async () => {
  const { get } = await serve();
  const client = new AbortController();
  const answer = get('/api/v1/query?query=requests_total&time=300', {}, client.signal);
  client.abort();
  await expect(answer).rejects.toMatchObject({ code: 'canceled' });
});

test('queries beyond the queue are refused with the name of the setting', async () => {
  const { get } = await serve({ queuedMax: 0 });
  await expect(get('/api/v1/query?query=1')).rejects.toThrow('query.max_queued');
});

test('a query is formatted and parsed', async () => {
  const { json } = await serve();
  expect((await json('/api/v1/format_query?query=sum by(a)(rate(x[5m]))')).data).toBe(
    'sum by (a) (rate(x[5m]))',
  );
  expect((await json('/api/v1/parse_query?query=up')).data.type).toBe('vectorSelector');
});

test('a query is explained, and analysed when asked to', async () => {
  const { json } = await serve();
  expect((await json('/api/v1/query_explain?query=sum(requests_total)')).data).toMatchObject({
    name: 'aggregate sum by ()',
    children: [{ name: 'split by series', children: [{ name: expect.stringContaining('labels ()') }] }],
  });
  const range = 'start=0&end=300&step=60';
  const explained = await json(`/api/v1/query_range_explain?query=rate(requests_total[1m])&${range}`);
  expect(explained.data).toMatchObject({ name: 'split by series', children: [{ name: 'call rate' }] });
  const analysed = await json(`/api/v1/query_range?query=sum(requests_total)&${range}&analyze=true`);
  expect(analysed.data.analysis).toMatchObject({ name: 'aggregate sum by ()', rows: 1 });
  expect((await json(`/api/v1/query_range?query=1&${range}&analyze=0`)).data.analysis).toBeUndefined();
});

test.each([
  ['/api/v1/query_explain?query=sum(', 'invalid parameter "query": 1:5: parse error'],
  ['/api/v1/query_range_explain?query=1&start=5&end=1&step=1', 'end timestamp must not be before start time'],
  ['/api/v1/query?query=1&analyze=perhaps', 'invalid parameter "analyze": cannot parse "perhaps"'],
])('%s is refused', async (url, message) => {
  const { get } = await serve();
  await expect((async () => get(url))()).rejects.toThrow(message);
});

test('answers of any size are compressed for those who take it', async () => {
  const { get } = await serve();
  for (const step of [1, 0.05]) {
    const url = `/api/v1/query_range?query=requests_total&start=0&end=300&step=${step}`;
    const answer = await get(url);
    const plain = answer.isLatin1
      ? Buffer.from(answer.body as string, 'latin1')
      : (answer.body as Uint8Array);
    const { headers, body } = await get(url, { 'accept-encoding': 'gzip, deflate' });
    expect(headers?.['content-encoding']).toBe('gzip');
    expect((body as Uint8Array).length).toBeLessThan(plain.length / 2);
    expect(gunzipSync(body as Uint8Array).equals(plain)).toBe(true);
  }
});

test('with automatic downsampling a range query that does not say it reads samples a fifth of its step apart', async () => {
  const asked: QueryJob[] = [];
  const routes = (autoDownsampling: boolean) =>
    queryRoutes({
      clock: new SystemClock(),
      parse: {},
      autoDownsampling,
      run: async (_, job) => {
        asked.push(job);
        return { status: 200 };
      },
    });
  const ask = async (on: boolean, path: string, query: string) => {
    const route = routes(on).find((one) => one.path === path);
    await route?.handle({
      method: 'GET',
      path,
      params: {},
      query: new URLSearchParams(query),
      headers: {},
      tenant: 'anonymous',
      body: new Uint8Array(),
      signal: new AbortController().signal,
    } as HttpRequest);
  };
  const times = 'query=x&start=0&end=86400&step=1500';
  await ask(true, '/api/v1/query_range', times);
  await ask(true, '/api/v1/query_range', `${times}&max_source_resolution=0s`);
  await ask(true, '/api/v1/query', 'query=x');
  await ask(false, '/api/v1/query_range', times);
  expect(asked.map((job) => 'resolutionBestMs' in job && job.resolutionBestMs)).toEqual([
    300_000,
    false,
    false,
    false,
  ]);
});
