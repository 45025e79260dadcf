import { expect, test } from 'vitest';
import { loadScrapeFile } from '../../config/scrape/scrape-file.ts';
import { Labels } from '../../model/labels.ts';
import { Relabeler } from '../../model/relabel.ts';
import { discoveredLabels, makeTarget } from './target.ts';

async function target(settings: string, own: Record<string, string> = { __address__: 'h:1' }) {
  const text = `scrape_configs: [{ job_name: j, ${settings} }]`;
  const { jobs } = await loadScrapeFile({ file: 'x.yml', text }, '/', {}, async () => []);
  const discovered = discoveredLabels(jobs[0], Labels.from(own), Labels.empty);
  return makeTarget(jobs[0], discovered, new Relabeler(jobs[0].relabel_configs));
}

test.each([
  ['scheme: https, metrics_path: /a/b', 'https://h:1/a/b'],
  ['metrics_path: no-slash', 'http://h:1/no-slash'],
  ["metrics_path: '/a b?c#d%e'", 'http://h:1/a%20b%3Fc%23d%25e'],
  ['params: { b: [x y, z], a: [1] }', 'http://h:1/metrics?a=1&b=x+y&b=z'],
  [
    'params: { a: [1, 2] }, relabel_configs: [{ target_label: __param_a, replacement: "3" }]',
    'http://h:1/metrics?a=3&a=2',
  ],
])('%s is asked at %s', async (settings, url) => {
  expect((await target(settings))?.url).toBe(url);
});

test('labels that begin with underscores are not those of series, and the instance is the address', async () => {
  const made = await target('scrape_interval: 20s', {
    __address__: 'h:1',
    __meta_x: 'y',
    a: 'b',
    __tmp: 'z',
  });
  expect(made?.labels.toJSON()).toEqual({ a: 'b', instance: 'h:1', job: 'j' });
  expect(made?.allLabels.has('__meta_x')).toBe(false);
  expect(made?.discovered.get('__meta_x')).toBe('y');
});

test('labels of relabelling say how often a target is scraped', async () => {
  const rules =
    'relabel_configs: [{ target_label: __scrape_interval__, replacement: 5m }, { target_label: __scrape_timeout__, replacement: 7s }]';
  const made = await target(rules);
  expect([made?.intervalMs, made?.timeoutMs]).toEqual([300_000, 7000]);
  await expect(
    target('relabel_configs: [{ target_label: __scrape_timeout__, replacement: 2m }]'),
  ).rejects.toThrow(/timeout cannot be greater/);
  await expect(
    target('relabel_configs: [{ target_label: __scrape_interval__, replacement: soon }]'),
  ).rejects.toThrow(/error parsing scrape interval "soon"/);
  await expect(target('scheme: http', { a: 'b' })).rejects.toThrow('no address');
});

test('scrapes of a target are at the same times of the interval, and those of others at others', async () => {
  const a = await target('scrape_interval: 10s');
  const b = await target('scrape_interval: 10s', { __address__: 'other:1' });
  const phase = (now: number, seed = 1n) => (now + (a?.offset(now, seed) ?? 0)) % 10_000;
  expect(new Set([1000, 4321, 9999, 123_456].map((now) => phase(now))).size).toBe(1);
  expect(phase(1000, 2n)).not.toBe(phase(1000));
  expect((1000 + (b?.offset(1000, 1n) ?? 0)) % 10_000).not.toBe(phase(1000));
});
