import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { program } from './programs.ts';

/** `verona promql`, and what the API says about queries, beside promtool and Prometheus on the same blocks. */
const run = promisify(execFile);
const MAIN = join(import.meta.dirname, '../src/cmd/main.ts');
const END = 1_735_689_600;
const MINUTES = 90;
/** Between two samples: whether a window begins before or after one that stands on its start changed in Prometheus 3. */
const MOMENT = END - 59.5;
const FEATURE = 'promql-per-step-stats';

let folder: string;
let data: string;
let prometheus: Peer;
let verona: Peer;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  data = join(folder, 'prometheus/data');
  await mkdir(data, { recursive: true });
  await writeFile(join(folder, 'metrics.txt'), openMetrics());
  await run(await program('promtool'), [
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    join(folder, 'metrics.txt'),
    data,
  ]);
  for (const block of readdirSync(data))
    await cp(join(data, block), join(folder, 'verona/bucket/anonymous', block), { recursive: true });
  const scraping =
    'global: {scrape_interval: 1s}\nscrape_configs:\n' +
    '  - {job_name: nobody, static_configs: [{targets: ["127.0.0.1:1"]}]}\n';
  prometheus = await startPrometheus(join(folder, 'prometheus'), scraping, [`--enable-feature=${FEATURE}`]);
  const flags = ['--self-metrics.enabled=false', `--query.enable-feature=${FEATURE}`];
  verona = await startVerona(join(folder, 'verona'), flags);
}, 240_000);

afterAll(async () => {
  await Promise.all([prometheus?.process.stop(), verona?.process.stop()]);
  if (folder) await rm(folder, { recursive: true, force: true });
});

function openMetrics(): string {
  const lines: string[] = [];
  for (const type of ['# TYPE requests counter', '# TYPE temperature gauge']) {
    lines.push(type);
    const name = type.includes('counter') ? 'requests_total' : 'temperature';
    for (let instance = 0; instance < 4; instance++)
      for (let i = 0; i <= MINUTES; i++) {
        const value =
          name === 'temperature'
            ? ((i * 37 + instance) % 50) / 4 - 5
            : (i % (40 + instance)) * (instance + 0.5);
        if (i % (11 + instance) !== 5)
          lines.push(
            `${name}{instance="${instance}",job="${instance % 2 ? 'a' : 'b'}"} ${value} ${END - (MINUTES - i) * 60}`,
          );
      }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}

/** Standard output, standard error and exit code. */
async function outcome(command: string, args: readonly string[]) {
  try {
    return { ...(await run(command, [...args])), code: 0 };
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    return { stdout, stderr, code };
  }
}

const promql = (...args: string[]) => outcome(process.execPath, [MAIN, 'promql', ...args]);
const sorted = (text: string) => text.trimEnd().split('\n').sort();

const QUERIES = [
  'requests_total',
  'sum by (job) (rate(requests_total[5m]))',
  'temperature > bool 2',
  'topk(2, temperature)',
  'histogram_quantile(0.5, temperature)',
  '1 + 2 * 3',
  'vector(-0.5)',
  'requests_total[2m]',
  'max_over_time(sum(temperature)[10m:1m])',
  'nothing',
];

test.each(QUERIES)('promql query prints for %s what promtool prints', async (query) => {
  const promtool = await program('promtool');
  const time = String(MOMENT);
  const theirs = await outcome(promtool, ['query', 'instant', `--time=${time}`, prometheus.url, query]);
  const flags = ['--time', time, '--output', 'promql'];
  const sources =
    query === 'topk(2, temperature)' ? [prometheus.url, verona.url, join(folder, 'verona/bucket'), data] : [];
  for (const source of [join(folder, 'verona'), ...sources]) {
    const ours = await promql('query', source, query, ...flags);
    expect({ lines: sorted(ours.stdout), code: ours.code }, source).toEqual({
      lines: sorted(theirs.stdout),
      code: theirs.code,
    });
  }
});

test('promql range prints what promtool prints', async () => {
  const times = [`--start=${MOMENT - 600}`, `--end=${MOMENT}`, '--step=1m'];
  const query = 'sum by (job) (rate(requests_total[5m]))';
  const theirs = await outcome(await program('promtool'), [
    'query',
    'range',
    ...times,
    prometheus.url,
    query,
  ]);
  const ours = await promql('range', data, query, ...times, '--output=promql');
  expect(sorted(ours.stdout)).toEqual(sorted(theirs.stdout));
  expect(ours.stdout.length).toBeGreaterThan(200);
});

test('the write-ahead log of a Prometheus at work is read, and nothing in its folder is changed', async () => {
  const before = filesOf(data);
  expect(before.some(([path]) => path.includes('/wal/'))).toBe(true);
  const { stdout, stderr } = await promql('query', data, 'up{job="nobody"}', '--analyze');
  expect(stderr).toBe('');
  expect(stdout).toContain('up{instance="127.0.0.1:1", job="nobody"}  0\n');
  expect(stdout).toContain('from head');
  const after = new Map(filesOf(data));
  for (const [path, hash] of before) if (!path.includes('/wal/')) expect(after.get(path), path).toBe(hash);
});

test('a wrong query ends with 2 and its place, a source that is not there with 1', async () => {
  expect(await promql('query', data, 'sum(')).toEqual({
    stdout: '',
    stderr: 'verona: invalid parameter "query": 1:5: parse error: unclosed left parenthesis\n',
    code: 2,
  });
  const { stderr, code } = await promql('query', join(folder, 'absent'), 'up');
  expect([stderr, code]).toEqual([`verona: ${join(folder, 'absent')} is no folder\n`, 1]);
});

test('explain shows plans, and with a source what was read', async () => {
  const plan = await promql('explain', 'sum(rate(x[5m])) / sum(rate(x[5m]))', '--time=0');
  expect(plan.stdout.match(/shared #0/g)).toHaveLength(2);
  const { stdout } = await promql(
    'explain',
    'sum(rate(requests_total[5m]))',
    '--source',
    join(folder, 'verona/bucket'),
  );
  expect(stdout).toMatch(
    /aggregate sum by \(\) .*\n {2}call rate .*\n {4}windows of .*\n( {6}from block \w{26} .*\n)+$/,
  );
});

const FORMATTED = [
  'sum(rate(requests_total{job="a"}[5m]))by(job)',
  'a+b*on(x)group_left(y)c',
  'histogram_quantile(0.9,sum by(le,job)(rate(http_request_duration_seconds_bucket{job="api",code=~"2.."}[5m])))/ignoring(le)group_left()sum(rate(x[5m]))',
  'foo{bar="baz",a!~"b.*"}offset 5m@123.456',
  'max_over_time(rate(foo[5m])[1h:30s]@end()offset-1m)',
  '-(1+2)^-3 and on()vector(1)unless ignoring(a)b or c',
  'label_replace(up,"a","$1-very-long-replacement-text-that-goes-on","some_label","(.*)-and-a-rather-long-expression")',
  'topk(5,quantile without(instance)(0.99,foo>bool 5))',
  '{__name__="a metric with spaces"}',
  '"a\\tstring\\u00e9"',
  '1e3+0x1F+Inf-NaN',
  'count_values("version",build_info)',
  'sum(sum(sum(sum(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb))))',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa[1h:5m]offset 1w+bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',
  'sum(',
  'foo{bar=}',
  'rate(foo)',
];

test.each(FORMATTED)('format_query answers %s as Prometheus does', async (query) => {
  const [theirs, ours] = await both(`format_query?query=${encodeURIComponent(query)}`);
  expect(ours).toEqual(theirs);
});

test.each(QUERIES.filter((query) => query !== '1 + 2 * 3'))(
  'stats=all counts samples of %s as Prometheus does',
  async (query) => {
    const text = `query=${encodeURIComponent(query)}&stats=all`;
    const [theirs, ours] = await both(`query?${text}&time=${MOMENT}`);
    expect(samplesOf(ours)).toEqual(samplesOf(theirs));
    if (query.endsWith('[2m]')) return;
    const [theirRange, ourRange] = await both(
      `query_range?${text}&start=${MOMENT - 600}&end=${MOMENT}&step=60`,
    );
    expect(samplesOf(ourRange)).toEqual(samplesOf(theirRange));
  },
);

interface Stats {
  readonly timings: object;
  readonly samples: Record<string, unknown>;
}

function samplesOf({ data: found }: { data: { stats: Stats } }) {
  const { peakSamples: _, ...samples } = found.stats.samples;
  return { timings: Object.keys(found.stats.timings), ...samples };
}

/** The answers of Prometheus and Verona. */
async function both(path: string) {
  return Promise.all(
    [prometheus, verona].map(async ({ url }) => (await fetch(`${url}/api/v1/${path}`)).json()),
  ) as Promise<[{ data: { stats: Stats } }, { data: { stats: Stats } }]>;
}

/** Every file below a folder with the hash of its bytes. */
function filesOf(dir: string): [string, string][] {
  return readdirSync(dir).flatMap((name): [string, string][] => {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) return filesOf(path);
    return [[path, createHash('sha256').update(readFileSync(path)).digest('hex')]];
  });
}
