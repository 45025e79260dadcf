import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { differences, readQueries } from './compare.ts';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { program } from './programs.ts';

/** Two weeks of blocks made by promtool, put into the bucket as they are, have the answers Prometheus gives on them. */
const MINUTES = 14 * 24 * 60;
const END = 1_735_689_600;
const START = END - MINUTES * 60;
const moment = { time: END + 0.5, rangeSeconds: 3600, stepSeconds: 60 };
const queries = readQueries('blocks-queries.txt');
const run = promisify(execFile);

let folder: string;
let blocks: string[];
let prometheus: Peer;
let verona: Peer;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  const made = join(folder, 'prometheus/data');
  await mkdir(made, { recursive: true });
  await writeOpenMetrics(join(folder, 'two-weeks.txt'));
  await run(await program('promtool'), [
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    '--max-block-duration=54h',
    join(folder, 'two-weeks.txt'),
    made,
  ]);
  blocks = readdirSync(made).filter((name) => /^[0-9A-Z]{26}$/.test(name));
  for (const block of blocks)
    await cp(join(made, block), join(folder, 'verona/bucket/anonymous', block), { recursive: true });
  verona = await startVerona(join(folder, 'verona'), ['--self-metrics.enabled=false']);
  prometheus = await startPrometheus(join(folder, 'prometheus'));
}, 240_000);

afterAll(async () => {
  await Promise.all([prometheus?.process.stop(), verona?.process.stop()]);
  if (folder) await rm(folder, { recursive: true, force: true });
});

test('blocks made by promtool have the answers that Prometheus gives on them', async () => {
  expect(blocks.length).toBeGreaterThan(5);
  const meta = await readFile(join(folder, 'verona/bucket/anonymous', blocks[0], 'meta.json'), 'utf8');
  expect(JSON.parse(meta)).not.toHaveProperty('thanos');
  const found = await differences(prometheus.url, verona.url, queries, moment);
  expect(found, `${found.length} of ${queries.length} differ:\n${found.join('\n')}`).toEqual([]);
});

/** Thirty series and a histogram, one sample a minute: counters that restart, gauges, and series with long gaps. */
async function writeOpenMetrics(file: string): Promise<void> {
  const out = createWriteStream(file);
  for (const [name, value] of allSeries()) {
    const lines: string[] = [];
    for (let minute = 0; minute < MINUTES; minute++) {
      const v = value(minute);
      if (v !== undefined) lines.push(`${name} ${v} ${START + minute * 60}.123\n`);
    }
    if (!out.write(lines.join(''))) await once(out, 'drain');
  }
  out.end('# EOF\n');
  await finished(out);
}

/** A value by minute; undefined is no sample. */
type Value = (minute: number) => number | undefined;

function allSeries(): [string, Value][] {
  const all: [string, Value][] = [];
  for (const [i, job] of ['api', 'batch', 'web'].entries())
    for (const [j, instance] of ['a', 'b', 'c'].entries())
      all.push([`requests_total{job="${job}",instance="${instance}"}`, counter(3 * i + j + 1)]);
  for (let room = 0; room < 10; room++)
    all.push([
      `temperature_celsius{room="r${room}"}`,
      (minute) => Math.round((18 + room + 5 * Math.sin((minute + 100 * room) / 229)) * 1000) / 1000,
    ]);
  for (let i = 1; i <= 6; i++)
    all.push([
      `sometimes{part="${i}"}`,
      (minute) => (Math.floor(minute / (i * 170)) % 3 === 1 ? minute % 7 : undefined),
    ]);
  for (const [i, le] of ['0.1', '0.5', '1', '5', '+Inf'].entries())
    all.push([
      `latency_seconds_bucket{job="api",le="${le}"}`,
      (minute) => minute * (i + 1) * 2 + (i === 4 ? 3 : 0),
    ]);
  return all;
}

/** Grows unevenly, restarts from zero every few hundred minutes, and pauses for nine minutes now and then. */
function counter(seed: number): Value {
  const life = 700 + 131 * seed;
  return (minute) => {
    if ((minute + 37 * seed) % 499 < 9) return undefined;
    const age = minute % life;
    return age * seed + (age % 11);
  };
}
