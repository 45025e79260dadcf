import { parseArgs } from 'node:util';
import { RequestTemplate } from './requests.ts';
import { Sender } from './send.ts';
import { SERIES_PER_INSTANCE, seriesBytes } from './series.ts';
import { Values } from './values.ts';

/**
 * Sends the load of the benchmarks to one store and prints the figures as one line of JSON.
 *   node bench/load/load.ts --url http://127.0.0.1:9009/api/v1/push --series 100000 --scrapes 240 --end 1700000000000
 * `--mixed` interleaves senders (instances come in another order each scrape) and replaces 10 % of the instances per hour.
 * `--rate` paces to that many samples a second; without it as fast as the store takes them.
 */
const { values: flags } = parseArgs({
  options: {
    url: { type: 'string' },
    series: { type: 'string', default: '100000' },
    scrapes: { type: 'string', default: '240' },
    interval: { type: 'string', default: '15000' },
    end: { type: 'string' },
    batch: { type: 'string', default: '2000' },
    connections: { type: 'string', default: '4' },
    rate: { type: 'string', default: '0' },
    mixed: { type: 'boolean', default: false },
  },
});

const total = Number(flags.series);
const scrapes = Number(flags.scrapes);
const intervalMs = Number(flags.interval);
const batch = Number(flags.batch);
const endMs = flags.end ? Number(flags.end) : Date.now();
const startMs = endMs - (scrapes - 1) * intervalMs;
const scrapesPerHour = 3_600_000 / intervalMs;
const CHURN_PER_HOUR = 0.1;

const values = new Values(total);
const sender = new Sender(flags.url ?? 'http://127.0.0.1:9009/api/v1/push', Number(flags.connections));
const instances = total / SERIES_PER_INSTANCE;
const encoded: ({ generation: number; bytes: Uint8Array } | undefined)[] = new Array(total);
let templates = buildTemplates(0);
for (let scrape = 0; scrape < scrapes; scrape++) {
  if (flags.mixed && scrape > 0) templates = buildTemplates(scrape);
  values.advance();
  await sender.send(bodies(startMs + scrape * intervalMs));
  if (Number(flags.rate) > 0) await pace(scrape + 1);
}
sender.close();
console.log(JSON.stringify({ ...sender.stats, series: total, scrapes, startMs, endMs }));

function* bodies(t: number): Generator<{ body: Uint8Array; samples: number }> {
  for (const template of templates)
    yield { body: template.body(values.current, t), samples: template.samples };
}

async function pace(scrapesDone: number): Promise<void> {
  const due = (scrapesDone * total) / Number(flags.rate);
  if (sender.stats.wallSeconds < due) {
    const waitMs = (due - sender.stats.wallSeconds) * 1000;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    sender.stats.wallSeconds = due;
  }
}

/** The order of series in a scrape: as numbered, or instance by instance in an order that changes with every scrape. */
function buildTemplates(scrape: number): RequestTemplate[] {
  const order: number[] = [];
  if (!flags.mixed) for (let i = 0; i < total; i++) order.push(i);
  else
    for (const instance of shuffled(instances, scrape))
      for (let i = 0; i < SERIES_PER_INSTANCE; i++) order.push(instance * SERIES_PER_INSTANCE + i);
  const result: RequestTemplate[] = [];
  for (let from = 0; from < order.length; from += batch)
    result.push(
      new RequestTemplate(order.slice(from, from + batch), (index) =>
        labelBytes(index, generationOf(index, scrape)),
      ),
    );
  return result;
}

/** Label bytes of the generation a series is in; encoded once. */
function labelBytes(index: number, generation: number): Uint8Array {
  const known = encoded[index];
  if (known?.generation === generation) return known.bytes;
  const bytes = seriesBytes(index, total, generation);
  encoded[index] = { generation, bytes };
  return bytes;
}

/** An instance is replaced at a time of its own, so that 10 % are new after an hour. */
function generationOf(index: number, scrape: number): number {
  if (!flags.mixed) return 0;
  const phase = ((Math.floor(index / SERIES_PER_INSTANCE) * 2654435761) >>> 0) / 4294967296;
  return Math.floor(phase + (scrape / scrapesPerHour) * CHURN_PER_HOUR);
}

/** Neighbours change places, as scrapes of independent senders overtake each other. */
function shuffled(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  let state = seed + 1;
  for (let i = 0; i + 1 < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.min(count - 1, i + (state >>> 28));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
