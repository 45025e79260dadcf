import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePort, RealProcess } from '../../e2e/process.ts';
import { program } from '../../e2e/programs.ts';
import { snappyCompress } from '../encoding/snappy.ts';
import type { Histogram } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { encodeWriteRequest } from '../proto/remote-write.ts';
import type { TimeSeries } from '../proto/time-series.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { type Answer, answer, floatSeries, HOUR, openDb, T0, TestClock } from './testdata/db-fixture.ts';

const END = T0 + 6 * HOUR;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('a real Prometheus opens our directory and answers the same samples', async () => {
  const dir = await newDir();
  const db = await openOurs(dir);
  for (const batch of batches()) await db.write(body(batch), 1, admitAll);
  await db.maintain();
  expect(db.blocks.length).toBeGreaterThan(1);
  const ours = counted(await answer(db, 0, END));
  expect(ours).toEqual(expected());
  // Late histograms in the log are new to Prometheus 3: this one leaves them out, and must not stumble.
  const late = await db.write(body([histogramSeries(END - HOUR + 30_000, 300)]), 1, admitAll);
  expect(late.histograms).toBe(1);
  await db.close();
  const prometheus = await startPrometheus(dir);
  expect(await ask(prometheus.url)).toEqual(ours);
  await prometheus.process.stop();
  expect(prometheus.process.output).not.toMatch(
    /level=error|corrupt|repair.*(fail|truncat)|[Uu]nknown series/,
  );
});

test('we open the directory of a real Prometheus that was killed while it compacted, and it opens ours again', async () => {
  const dir = await newDir();
  let prometheus = await startPrometheus(dir);
  for (const batch of batches()) await push(prometheus.url, batch);
  expect(await ask(prometheus.url)).toEqual(expected());
  await prometheus.process.stop('SIGKILL');

  const db = await openOurs(dir);
  expect(counted(await answer(db, 0, END))).toEqual(expected());
  expect(db.head.replayed).toMatchObject({ unknownRefs: 0, badRecords: 0 });
  await db.write(body([floatSeries({ __name__: 'ours' }, [[END - 1, 7]])]), 1, admitAll);
  await db.maintain();
  await db.close();

  prometheus = await startPrometheus(dir);
  expect(await ask(prometheus.url)).toEqual({ ...expected(), ours: [[END - 1, '7']] });
  await prometheus.process.stop();
});

type Plain = Record<string, [number, string][]>;

/** Six hours of three kinds of series, some of it late. */
function batches(): TimeSeries[][] {
  const all: TimeSeries[][] = [];
  for (let t = T0; t < END; t += 60_000) {
    const minute = (t - T0) / 60_000;
    const batch = [
      floatSeries({ __name__: 'counter', job: 'é' }, [[t, minute * 3]]),
      floatSeries({ __name__: 'gauge' }, [[t, Math.sin(minute)]]),
      histogramSeries(t, minute + 1),
    ];
    // Every tenth sample of `late` comes an hour after its time.
    if (minute % 10 !== 0) batch.push(floatSeries({ __name__: 'late' }, [[t, minute]]));
    if (minute >= 60 && minute % 10 === 1)
      batch.push(floatSeries({ __name__: 'late' }, [[t - HOUR - 60_000, minute - 61]]));
    all.push(batch);
  }
  return all;
}

function expected(): Plain {
  const plain: Plain = {};
  for (const series of batches().flat()) {
    const list = (plain[series.labels[1]] ??= []);
    for (const { t, v } of series.samples) list.push([t, String(v)]);
    for (const { t, histogram } of series.histograms) list.push([t, `histogram ${histogram.count}`]);
  }
  for (const list of Object.values(plain)) list.sort((a, b) => a[0] - b[0]);
  return plain;
}

function histogramSeries(t: number, count: number): TimeSeries {
  const histogram: Histogram = {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: 2 * count,
    sum: count,
    positiveSpans: [{ offset: 0, length: 2 }],
    negativeSpans: [],
    customValues: [],
    positiveBuckets: [count, 0],
    negativeBuckets: [],
  };
  const labels = Labels.from({ __name__: 'histogram' }).flat;
  return { labels, samples: [], histograms: [{ t, histogram, startT: 0 }], exemplars: [] };
}

function counted(found: Answer): Plain {
  const plain: Plain = {};
  for (const [labels, samples] of Object.entries(found)) {
    const name = /__name__="(\w+)"/.exec(labels)![1];
    plain[name] = samples.map(([t, v]) => [t, typeof v === 'number' ? String(v) : `histogram ${v.count}`]);
  }
  return plain;
}

function body(timeSeries: readonly TimeSeries[]): Uint8Array {
  return snappyCompress(encodeWriteRequest({ timeSeries, metadata: [] })).slice();
}

async function newDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tsdb-'));
  cleanups.push(() => rm(dir, { recursive: true }));
  return dir;
}

async function openOurs(dir: string): Promise<Db> {
  const db = await openDb(new NodeDisk(), new TestClock(END), {
    dir: `${dir}/data`,
    limits: { outOfOrderWindowMs: 3 * HOUR },
  });
  cleanups.push(() => db.close());
  return db;
}

async function startPrometheus(dir: string): Promise<{ process: RealProcess; url: string }> {
  const config = `${dir}/prometheus.yml`;
  await writeFile(config, 'storage: {tsdb: {out_of_order_time_window: 3h}}\n');
  const port = await freePort();
  const running = new RealProcess('prometheus', await program('prometheus'), [
    `--config.file=${config}`,
    `--storage.tsdb.path=${dir}/data`,
    '--storage.tsdb.retention.time=100y',
    '--enable-feature=native-histograms',
    '--web.enable-remote-write-receiver',
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  cleanups.push(() => running.stop('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  await running.ready(`${url}/-/ready`);
  return { process: running, url };
}

async function push(url: string, timeSeries: readonly TimeSeries[]): Promise<void> {
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: {
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body: body(timeSeries) as Uint8Array<ArrayBuffer>,
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
}

async function ask(url: string): Promise<Plain> {
  const query = new URLSearchParams({ query: '{__name__=~".+"}[7h]', time: String(END / 1000) });
  const response = await fetch(`${url}/api/v1/query?${query}`);
  const { data } = (await response.json()) as {
    data: {
      result: {
        metric: { __name__: string };
        values?: [number, string][];
        histograms?: [number, { count: string }][];
      }[];
    };
  };
  const plain: Plain = {};
  for (const { metric, values = [], histograms = [] } of data.result)
    plain[metric.__name__] = [
      ...values.map(([t, v]): [number, string] => [Math.round(t * 1000), v]),
      ...histograms.map(([t, { count }]): [number, string] => [Math.round(t * 1000), `histogram ${count}`]),
    ];
  return plain;
}
