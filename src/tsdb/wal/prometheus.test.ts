import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { program } from '../../../e2e/programs.ts';
import { decodeLabels, encodeLabels } from '../../encoding/label-bytes.ts';
import { Labels } from '../../model/labels.ts';
import { SystemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { RecordType, recordType } from './records/record-type.ts';
import { decodeSamplesRecord, encodeSamplesRecord } from './records/samples-record.ts';
import { SeriesRecordWriter, visitSeriesRecord } from './records/series-record.ts';
import { Wal } from './wal.ts';
import { WalReader } from './wal-reader.ts';

const run = promisify(execFile);
const disk = new NodeDisk();
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'verona-promwal-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

async function writeLog(now: number, keep: (ref: number) => boolean): Promise<void> {
  const wal = await Wal.open({
    disk,
    dir: `${dir}/wal`,
    clock: new SystemClock(),
    log: silentLogger,
    segmentBytes: 32768,
  });
  const series = new SeriesRecordWriter();
  for (let ref = 1; ref <= 300; ref++)
    series.add(ref, encodeLabels(Labels.from({ __name__: 'up', instance: `host-${ref}`, job: 'wéb' })));
  await wal.log([series.take()]);
  for (let i = 0; i < 10; i++) {
    const refs = Float64Array.from({ length: 300 }, (_, k) => k + 1);
    await wal.log([
      encodeSamplesRecord({
        count: 300,
        refs,
        times: refs.map(() => now - 150_000 + i * 15_000),
        values: refs.map((ref) => ref + i / 4),
      }),
    ]);
  }
  await wal.nextSegment();
  await wal.close();
  const { path } = await writeCheckpoint({
    disk,
    dir: `${dir}/wal`,
    from: 0,
    to: 1,
    keep,
    mint: now - 120_000,
  });
  expect(path).toContain('checkpoint.00000001');
  for (const name of ['00000000', '00000001']) await disk.remove(`${dir}/wal/${name}`);
}

test('promtool dumps the samples of a log and checkpoint written here', async () => {
  const now = Date.now();
  await writeLog(now, (ref) => ref !== 5);
  const { stdout } = await run(await program('promtool'), ['tsdb', 'dump', dir], { maxBuffer: 2 ** 26 });
  const lines = stdout.trim().split('\n');
  expect(lines.some((line) => line.includes('"host-5"'))).toBe(false);
  expect(lines.length).toBeGreaterThan(299 * 5);
  expect(lines).toContain(
    `{__name__="up", instance="host-300", job="wéb"} 302.25 ${now - 150_000 + 9 * 15_000}`,
  );
});

test('Prometheus starts on a log written here, and what it logs is read here', async () => {
  const now = Date.now();
  await writeLog(now, () => true);
  const port = await freePort();
  await writeFile(
    join(dir, 'prometheus.yml'),
    `scrape_configs:\n- job_name: self\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['127.0.0.1:${port}']\n`,
  );
  const child = spawn(
    await program('prometheus'),
    [
      `--config.file=${dir}/prometheus.yml`,
      `--storage.tsdb.path=${dir}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  try {
    const count = await queryUntil(port, 'count(up{job="wéb"})', (value) => value === '300');
    expect(count).toBe('300');
    await queryUntil(port, 'prometheus_tsdb_head_series{job="self"}', (value) => Number(value) > 300);
  } finally {
    await stop(child);
  }
  const names = new Set<string>();
  const refs = new Map<number, Labels>();
  let samples = 0;
  const reader = new WalReader(disk, `${dir}/wal`);
  for await (const { records } of reader.batches())
    for (const record of records) {
      expect(recordType(record)).toBeDefined();
      if (record[0] === RecordType.series)
        visitSeriesRecord(record, (ref, bytes) => {
          refs.set(ref, decodeLabels(bytes));
          names.add(decodeLabels(bytes).get('__name__'));
        });
      if (record[0] === RecordType.samples) {
        const columns = decodeSamplesRecord(record);
        samples += columns.count;
      }
    }
  expect(reader.damages).toEqual([]);
  expect(names.has('prometheus_tsdb_head_series')).toBe(true);
  expect(samples).toBeGreaterThan(500);
});

async function queryUntil(port: number, query: string, done: (value: string) => boolean): Promise<string> {
  let value = '';
  for (let i = 0; i < 100; i++) {
    value = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`)
      .then((response) => response.json())
      .then((body) => body.data?.result?.[0]?.value?.[1] ?? '')
      .catch(() => '');
    if (done(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return value;
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
