import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Peer, startPrometheus, startVerona, startVictoriaMetrics } from '../e2e/peers.ts';
import { encodeLabels } from '../src/encoding/label-bytes.ts';
import { Labels } from '../src/model/labels.ts';
import { type Figure, timeUrl } from './figure.ts';
import { RequestTemplate } from './load/requests.ts';
import { Sender } from './load/send.ts';
import { printQueryTable } from './query-table.ts';

/**
 * `npm run bench:shapes`: the shapes of Prometheus' own benchmarks of its engine, over HTTP: counters `a_…` and `b_…`
 * and classic histograms `h_…` of one and of a hundred, a sample every 30 s for a day, at 1, 100 and 1,000 steps;
 * and a join of a thousand with a thousand.
 */
const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: 'verona,prometheus,victoria-metrics' },
    match: { type: 'string', default: '' },
    // A day for the windows of the first step, and 1,000 steps.
    samples: { type: 'string', default: '3880' },
    steps: { type: 'string', default: '1,100,1000' },
  },
});

const INTERVAL_S = 30;
const LE = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '+Inf'];
const STEPS = flags.steps.split(',').map(Number);
/** X stands for `one` and `hundred`. */
const QUERIES = [
  'a_X',
  'rate(a_X[1m])',
  'rate(a_X[1d])',
  'absent_over_time(a_X[1d])',
  'changes(a_X[1d])',
  '-a_X',
  'a_X - b_X',
  'a_X and b_X{l=~".*[0-4]$"}',
  'a_X or b_X{l=~".*[0-4]$"}',
  'a_X unless b_X{l=~".*[0-4]$"}',
  'abs(a_X)',
  'label_replace(a_X, "l2", "$1", "l", "(.*)")',
  'label_join(a_X, "l2", "-", "l", "l")',
  'sum(a_X)',
  'sum without (l) (h_X)',
  'sum without (le) (h_X)',
  'sum by (l) (h_X)',
  'count_values("value", h_X)',
  'topk(1, a_X)',
  'topk(5, a_X)',
  'sum without (l) (rate(a_X[1m])) / sum without (l) (rate(b_X[1m]))',
  'histogram_quantile(0.9, rate(h_X[5m]))',
];
const JOINS = ['j / on (l) k', 'rate(j[2m]) * on (l) group_left k', 'sum(j + on (l) k)'];

const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
const endS = Math.floor(Date.now() / 30_000) * 30;
const asked = [
  ...QUERIES.flatMap((query) => ['one', 'hundred'].map((size) => query.replaceAll('X', size))).flatMap(
    (query) => STEPS.map((steps) => ({ query, steps })),
  ),
  ...JOINS.map((query) => ({ query, steps: 240 })),
].filter(({ query }) => query.includes(flags.match));
const title = ({ query, steps }: (typeof asked)[number]) => `${query} × ${steps}`;
const results = new Map<string, Map<string, Figure>>();
try {
  for (const name of flags.only.split(',')) results.set(name, await measure(name));
} finally {
  await rm(folder, { recursive: true, force: true });
}
printQueryTable(asked.map(title), results);

async function measure(name: string): Promise<Map<string, Figure>> {
  const peer = await start(name);
  await load(peer, [
    { series: longSeries(), samples: Number(flags.samples) },
    { series: joinSeries(), samples: Math.min(250, Number(flags.samples)) },
  ]);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const figures = new Map<string, Figure>();
  for (const one of asked)
    figures.set(title(one), await timeUrl(peer.process, urlOf(peer, one), Number(flags.runs)));
  await peer.process.stop('SIGKILL');
  return figures;
}

function start(name: string): Promise<Peer> {
  const dir = join(folder, name);
  if (name === 'prometheus') return startPrometheus(dir);
  if (name === 'victoria-metrics') return startVictoriaMetrics(dir);
  return startVerona(dir, ['--self-metrics.enabled=false', '--log.level=warn']);
}

function urlOf(peer: Peer, { query, steps }: (typeof asked)[number]): string {
  const text = encodeURIComponent(query);
  if (steps === 1) return `${peer.url}/api/v1/query?query=${text}&time=${endS}`;
  const startS = endS - (steps - 1) * INTERVAL_S;
  return `${peer.url}/api/v1/query_range?query=${text}&start=${startS}&end=${endS}&step=${INTERVAL_S}`;
}

function longSeries(): Labels[] {
  const found: Labels[] = [];
  for (const [size, count] of [
    ['one', 1],
    ['hundred', 100],
  ] as const)
    for (let l = 0; l < count; l++) {
      for (const metric of ['a', 'b']) found.push(Labels.from({ __name__: `${metric}_${size}`, l: `${l}` }));
      for (const le of LE) found.push(Labels.from({ __name__: `h_${size}`, l: `${l}`, le }));
    }
  return found;
}

function joinSeries(): Labels[] {
  return ['j', 'k'].flatMap((name) =>
    Array.from({ length: 1000 }, (_, l) => Labels.from({ __name__: name, l: `${l}` })),
  );
}

interface Loaded {
  readonly series: readonly Labels[];
  readonly samples: number;
}

/** A counter each, of its own pace; all sets together in order of time, since no store takes what is much older than the newest. */
async function load(peer: Peer, sets: readonly Loaded[]): Promise<void> {
  const sender = new Sender(peer.writeUrl, 1);
  const counters = sets.map((set) => ({ ...set, ...countersOf(set.series) }));
  await sender.send(bodies());
  sender.close();
  const { failures, lastFailure } = sender.stats;
  if (failures > 0) throw new Error(`${peer.name} refused ${failures} writes: ${lastFailure}`);

  function* bodies(): Generator<{ body: Uint8Array; samples: number }> {
    for (let k = Math.max(...sets.map(({ samples }) => samples)) - 1; k >= 0; k--)
      for (const { series, samples, next } of counters)
        if (k < samples) yield { body: next((endS - k * INTERVAL_S) * 1000), samples: series.length };
  }
}

/** The next sample of each. */
function countersOf(series: readonly Labels[]): { next(timeMs: number): Uint8Array } {
  const template = new RequestTemplate(
    series.map((_, i) => i),
    (i) => encodeLabels(series[i]),
  );
  const values = new Float64Array(series.length);
  return {
    next: (timeMs) => {
      for (let i = 0; i < values.length; i++) values[i] += 1 + (i % 7);
      return template.body(values, timeMs);
    },
  };
}
