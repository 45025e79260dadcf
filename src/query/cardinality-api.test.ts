import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { SystemClock } from '../platform/clock.ts';
import type { HttpRequest } from '../platform/http.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { Answerer } from './answer.ts';
import { cardinalityRoutes } from './cardinality-api.ts';
import type { QueryJob } from './jobs.ts';

const NOW = 1_700_000_000_000;
const NO_LIMITS = { samplesMax: 0, seriesMax: 0, mint: Number.NEGATIVE_INFINITY };

/** Ten instances of two metrics, half of them silent for an hour. */
async function serve() {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let i = 0; i < 10; i++)
    for (const name of ['up', 'requests_total'])
      if (name === 'up' || i < 4)
        appender.append(
          Labels.from({ __name__: name, instance: `host-${i}`, job: 'é' }),
          NOW - (i % 2) * 3_600_000,
          1,
        );
  await appender.commit();
  const jobs: QueryJob[] = [];
  const clock = { ...new SystemClock(), now: () => NOW, monotonic: () => 0, after: () => () => {} };
  const answerer = new Answerer({ clock }, 300_000);
  const routes = cardinalityRoutes({
    clock,
    activeWindowMs: 20 * 60_000,
    headSeries: () => 14,
    run: async (_tenant, job, { signal }) => {
      jobs.push(job);
      const { status, headers, parts } = await answerer.answer(job, NO_LIMITS, storage, signal);
      return { status, headers, body: Buffer.concat(parts) };
    },
  });
  const get = async (url: string, form?: string) => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    const route = routes.find(({ path }) => path === pathname);
    if (!route) throw new Error(`no route ${pathname}`);
    const request: HttpRequest = {
      method: form === undefined ? 'GET' : 'POST',
      path: pathname,
      params: {},
      query: searchParams,
      headers: form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' },
      tenant: 'anonymous',
      body: Buffer.from(form ?? ''),
      signal: new AbortController().signal,
    };
    const { status, body } = await route.handle(request);
    const text = body instanceof Uint8Array ? Buffer.from(body).toString() : String(body);
    return { status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  return { get, jobs };
}

test('label names come with their number of values, the most first, in Mimir’s shape', async () => {
  const { get } = await serve();
  expect((await get('/prometheus/api/v1/cardinality/label_names')).json).toEqual({
    label_values_count_total: 13,
    label_names_count: 3,
    cardinality: [
      { label_name: 'instance', label_values_count: 10 },
      { label_name: '__name__', label_values_count: 2 },
      { label_name: 'job', label_values_count: 1 },
    ],
  });
  const some = await get('/api/v1/cardinality/label_names?limit=1&selector={__name__="requests_total"}');
  expect(some.json).toEqual({
    label_values_count_total: 6,
    label_names_count: 3,
    cardinality: [{ label_name: 'instance', label_values_count: 4 }],
  });
});

test('label values come with their series, by the labels asked for', async () => {
  const { get } = await serve();
  const form = 'label_names[]=job&label_names[]=__name__&label_names[]=absent&limit=1';
  expect((await get('/api/v1/cardinality/label_values', form)).json).toEqual({
    series_count_total: 14,
    labels: [
      {
        label_name: '__name__',
        label_values_count: 2,
        series_count: 14,
        cardinality: [{ label_value: 'up', series_count: 10 }],
      },
      {
        label_name: 'job',
        label_values_count: 1,
        series_count: 14,
        cardinality: [{ label_value: 'é', series_count: 14 }],
      },
      { label_name: 'absent', label_values_count: 0, series_count: 0, cardinality: [] },
    ],
  });
});

test('active series are those with a sample in the last minutes, also where only they are counted', async () => {
  const { get } = await serve();
  const { json } = await get('/api/v1/cardinality/active_series?selector={__name__="requests_total"}');
  expect(json.data).toEqual([
    { __name__: 'requests_total', instance: 'host-0', job: 'é' },
    { __name__: 'requests_total', instance: 'host-2', job: 'é' },
  ]);
  const counted = 'label_values?label_names[]=__name__&count_method=active&selector={instance="host-2"}';
  expect((await get(`/api/v1/cardinality/${counted}`)).json).toMatchObject({
    series_count_total: 7,
    labels: [{ series_count: 2 }],
  });
  expect((await get('/api/v1/cardinality/label_names?count_method=active')).json.cardinality[0]).toEqual({
    label_name: 'instance',
    label_values_count: 5,
  });
});

test('with a time blocks are looked at as well, without one only the head', async () => {
  const { get, jobs } = await serve();
  await get('/api/v1/cardinality/label_names');
  const values = await get(
    `/api/v1/cardinality/label_values?label_names[]=job&start=${NOW / 1000 - 60}&end=${NOW / 1000}`,
  );
  expect(values.json.series_count_total).toBe(7);
  expect(jobs).toMatchObject([
    { headOnly: true, read: { ownOnly: true } },
    { headOnly: false, startMs: NOW - 60_000, endMs: NOW, read: { ownOnly: true } },
  ]);
});

test.each([
  ['label_names?limit=-1', "'limit' param cannot be less than '0'"],
  ['label_names?limit=501', "'limit' param cannot be greater than '500'"],
  ['label_names?limit=x', "'limit' param is no number"],
  ['label_names?selector={a="b"}&selector={a="c"}', "multiple 'selector' params are not allowed"],
  ['label_names?selector={', 'failed to parse selector'],
  ['label_names?count_method=both', 'valid options are: [active,inmemory]'],
  ['label_names?count_method=active&start=1', 'go with count_method=inmemory only'],
  ['label_names?start=2&end=1', "'end' must not be before 'start'"],
  ['label_values', "'label_names[]' param is required"],
  ['active_series', "missing 'selector' parameter"],
])('%s is refused in plain text', async (path, text) => {
  const { get } = await serve();
  const answer = await get(`/api/v1/cardinality/${path}`);
  expect([answer.status, answer.json]).toEqual([400, undefined]);
  expect(answer.text).toContain(text);
});
