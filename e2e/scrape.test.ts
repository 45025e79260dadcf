import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { snappyCompress, snappyDecompress } from '../src/encoding/snappy.ts';
import { Labels } from '../src/model/labels.ts';
import { Matcher } from '../src/model/matcher.ts';
import { isStale } from '../src/model/sample.ts';
import { encodeReadRequest, readReadResponse } from '../src/proto/remote-read.ts';
import { formatOpenMetricsFloat, parseGoFloatText } from '../src/pull/scrape/exposition/go-float.ts';
import { ExpositionServer } from './exposition-server.ts';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { freePort, RealProcess } from './process.ts';
import { program } from './programs.ts';
import { BODIES, SEQUENCES } from './scrape-script.ts';

mkdirSync(join(import.meta.dirname, '../.cache'), { recursive: true });
const folder = mkdtempSync(join(import.meta.dirname, '../.cache/e2e-'));
const SCRIPT = { ...SEQUENCES, ...BODIES };
/** Scrapes of each target that are compared. */
const SCRAPES = 7;

const targets = new ExpositionServer(SCRIPT);
let exporter: RealProcess;
let prometheus: Peer;
let verona: Peer;
let begun: number;
let expectedScrapes: Map<string, Record<string, string>>;
let actualScrapes: Map<string, Record<string, string>>;

const JOBS: Readonly<Record<string, string>> = {
  plain: '',
  native: '',
  limited: 'sample_limit: 3, label_limit: 5, label_value_length_limit: 20, body_size_limit: 2KB,',
  honoring: 'honor_labels: true,',
  timeless: 'honor_timestamps: false,',
  relabelled: `metric_relabel_configs: [
    { source_labels: [__name__], regex: "go_.*", action: drop },
    { regex: "secret", action: labeldrop },
    { source_labels: [__name__, port], separator: "/", regex: "(.*)/(.+)", target_label: joined, replacement: "$2-\${1}" },
    { source_labels: [__name__], action: lowercase, target_label: __name__ },
    { source_labels: [a], action: hashmod, modulus: 7, target_label: shard } ],`,
};

function configOf(address: string, exporterAddress: string, isVerona: boolean): string {
  const jobs = Object.entries(JOBS).map(([job, settings]) => {
    const paths = Object.keys(SCRIPT).filter((path) => path.startsWith(`/${job}/`));
    const groups = paths.map(
      (path) =>
        `      - { targets: ['${address}'], labels: { case: '${path}', __metrics_path__: '${path}' } }`,
    );
    const own = isVerona && job === 'native' ? 'scrape_native_histograms: true,' : '';
    return `  - { job_name: ${job}, ${settings} ${own} static_configs: [\n${groups.map((group) => group.replace('- ', '')).join(',\n')} ] }`;
  });
  return `global: { scrape_interval: 2s, scrape_timeout: 1900ms${isVerona ? ', metric_name_validation_scheme: legacy' : ''} }
scrape_configs:
${jobs.join('\n')}
  - { job_name: node, static_configs: [{ targets: ['${exporterAddress}'] }] }
`;
}

beforeAll(async () => {
  const address = await targets.listen();
  const exporterAddress = `127.0.0.1:${await freePort()}`;
  exporter = new RealProcess('node_exporter', await program('node_exporter'), [
    `--web.listen-address=${exporterAddress}`,
  ]);
  await exporter.ready(`http://${exporterAddress}/`);
  begun = Date.now();
  const file = join(folder, 'verona.yml');
  writeFileSync(file, configOf(address, exporterAddress, true));
  [prometheus, verona] = await Promise.all([
    startPrometheus(join(folder, 'prometheus'), configOf(address, exporterAddress, false), [
      '--enable-feature=exemplar-storage,native-histograms',
    ]),
    startVerona(join(folder, 'verona'), [`--scrape.config.file=${file}`, '--objstore.enabled=false']),
  ]);
  targets.begin();
  await new Promise((resolve) => setTimeout(resolve, (SCRAPES + 2) * 2000));
  [expectedScrapes, actualScrapes] = await Promise.all([scrapes(prometheus), scrapes(verona)]);
}, 120_000);

afterAll(async () => {
  await Promise.all([exporter, prometheus?.process, verona?.process].map((one) => one?.stop()));
  targets.close();
  rmSync(folder, { recursive: true, force: true });
});

interface StoredSample {
  readonly t: number;
  readonly value: string;
}

/** Every sample that was stored, staleness markers included, by series. */
async function stored({ url }: Peer, matchers: readonly Matcher[]): Promise<[Labels, StoredSample[]][]> {
  const query = { mint: begun - 60_000, maxt: Date.now() + 60_000, matchers, hints: undefined };
  const body = snappyCompress(encodeReadRequest({ queries: [query], acceptedResponses: ['samples'] }));
  const response = await fetch(`${url}/api/v1/read`, {
    method: 'POST',
    headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
    body: body.slice(),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const bytes = snappyDecompress(new Uint8Array(await response.arrayBuffer()), 2 ** 28);
  const found: [Labels, StoredSample[]][] = [];
  for (const series of readReadResponse(bytes)[0]) {
    // Native histograms are not in what Prometheus 2.42 answers here.
    if (series.samples.length === 0) continue;
    const samples = series.samples.map(({ t, v }) => ({ t, value: isStale(v) ? 'stale' : String(v) }));
    found.push([normal(series.labels), samples.sort((a, b) => a.t - b.t)]);
  }
  return found;
}

/** Prometheus 3 writes bounds and quantiles as OpenMetrics does; 2 left them as they are. */
function normal(flat: readonly string[]): Labels {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const number = flat[i] === 'le' || flat[i] === 'quantile' ? parseGoFloatText(flat[i + 1]) : undefined;
    pairs.push([flat[i], number === undefined ? flat[i + 1] : formatOpenMetricsFloat(number)]);
  }
  return Labels.from(pairs);
}

/** By path of the target and series, what was stored with the number of the scrape in the place of its time. */
async function scrapes(peer: Peer): Promise<Map<string, Record<string, string>>> {
  const byCase = new Map<string, [Labels, StoredSample[]][]>();
  for (const one of await stored(peer, [new Matcher('!=', 'case', '')])) {
    const path = one[0].get('case');
    byCase.set(path, [...(byCase.get(path) ?? []), one]);
  }
  return new Map(
    [...byCase].map(([path, found]) => [path, numbered(found, targets.early(`${peer.name} ${path}`))]),
  );
}

/** `early`: scrapes of before the targets began. */
function numbered(found: readonly [Labels, StoredSample[]][], early: number): Record<string, string> {
  const up = found.find(([labels]) => labels.get('__name__') === 'up')?.[1] ?? [];
  const numbers = new Map(up.map(({ t }, i) => [t, i - early]));
  const shown: Record<string, string> = {};
  for (const [labels, samples] of found) {
    if (labels.get('__name__') === 'scrape_duration_seconds') continue;
    const texts = samples.flatMap(({ t, value }) => {
      const number = numbers.get(t);
      if (number === undefined) return [`@${t}:${value}`];
      return number >= 0 && number < SCRAPES ? [`${number}:${value}`] : [];
    });
    // Prometheus 2.42 marks series that a limit kept out; a marker alone ends nothing.
    if (texts.some((text) => !text.endsWith(':stale'))) shown[labels.toString()] = texts.join(' ');
  }
  return shown;
}

test.each(Object.keys(SEQUENCES))('%s has the samples and staleness markers that Prometheus has', (path) => {
  const expected = expectedScrapes.get(path) ?? {};
  expect(expected[Object.keys(expected).find((series) => series.includes('"up"')) ?? '']).toMatch(/6:[01]$/);
  expect(actualScrapes.get(path)).toEqual(expected);
});

test.each(Object.entries(BODIES))('%s, %j, is read as Prometheus reads it', (path) => {
  const expected = expectedScrapes.get(path) ?? {};
  expect(Object.keys(expected).length).toBeGreaterThan(1);
  expect(actualScrapes.get(path)).toEqual(expected);
});

async function ask(
  { url }: Peer,
  query: string,
): Promise<readonly { metric: Record<string, string>; value: [number, string] }[]> {
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
  return ((await response.json()) as { data: { result: [] } }).data.result;
}

test.each(['histogram_count(n)', 'histogram_sum(n)'])(
  '%s of a native histogram is what Prometheus answers',
  async (query) => {
    const [expected, actual] = await Promise.all([ask(prometheus, query), ask(verona, query)]);
    expect(expected).toHaveLength(1);
    expect(actual.map(({ value }) => value[1])).toEqual(expected.map(({ value }) => value[1]));
  },
);

test('exemplars are those that Prometheus has', async () => {
  const exemplars = async ({ url }: Peer) => {
    const range = { query: 'c_total', start: String(begun / 1000 - 60), end: String(Date.now() / 1000 + 60) };
    const response = await fetch(`${url}/api/v1/query_exemplars?${new URLSearchParams(range)}`);
    const { data } = (await response.json()) as {
      data: { exemplars: { labels: object; value: string }[] }[];
    };
    return data.flatMap(({ exemplars: found }) => found.map(({ labels, value }) => [labels, Number(value)]));
  };
  const expected = await exemplars(prometheus);
  expect(expected.length).toBeGreaterThan(1);
  expect(await exemplars(verona)).toEqual(expected);
});

test('of node_exporter all series are there under the labels that they have in Prometheus', async () => {
  const series = async (peer: Peer) => {
    const found = await stored(peer, [new Matcher('=', 'job', 'node')]);
    return found.map(([labels]) => labels.toString()).sort();
  };
  const [expected, actual] = await Promise.all([series(prometheus), series(verona)]);
  expect(expected.length).toBeGreaterThan(300);
  // Devices and errors that come up between two scrapes are a few at most.
  expect(actual.filter((one) => !expected.includes(one)).length).toBeLessThan(5);
  expect(expected.filter((one) => !actual.includes(one)).length).toBeLessThan(5);
});

test('targets tell why they are down, in both APIs', async () => {
  const targetsOf = async ({ url }: Peer) => {
    const response = await fetch(`${url}/api/v1/targets?state=active`);
    const { data } = (await response.json()) as {
      data: {
        activeTargets: {
          scrapeUrl: string;
          health: string;
          lastError: string;
          labels: object;
          scrapePool: string;
        }[];
      };
    };
    return new Map(data.activeTargets.map((target) => [target.scrapeUrl, target]));
  };
  const [expected, actual] = await Promise.all([targetsOf(prometheus), targetsOf(verona)]);
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [url, { health, labels, scrapePool, lastError }] of expected) {
    expect(actual.get(url)).toMatchObject({ health, labels, scrapePool });
    expect(actual.get(url)?.lastError === '', url).toBe(lastError === '');
  }
});
