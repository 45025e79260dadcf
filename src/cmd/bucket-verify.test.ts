import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NodeDisk } from '../platform/node-disk.ts';
import { encodeLooseIndex, readLooseSeries } from '../tsdb/compact/testdata/loose-index.ts';
import { bucketCommand } from './testdata/bucket-command.ts';

const TESTDATA = join(import.meta.dirname, '../store-gateway/testdata');
const BLOCKS = readdirSync(TESTDATA).filter((name) => !name.endsWith('.md'));
let dir: string;

/** Blocks of a Prometheus, as Verona uploads them. */
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'verona-verify-test-'));
  for (const block of BLOCKS) cpSync(join(TESTDATA, block), join(dir, 'from', block), { recursive: true });
  await bucketCommand('upload', join(dir, 'from'), '--dir', join(dir, 'bucket'), '--tenant', 'acme');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const path = (i: number, file: string) => join(dir, 'bucket/acme', BLOCKS[i], file);
const verify = (...args: readonly string[]) => bucketCommand('verify', '--dir', join(dir, 'bucket'), ...args);
const blocks = () => readdirSync(join(dir, 'bucket/acme')).filter((name) => name.length === 26);

/** Label names in the reverse order, as Prometheus up to 2.8 could leave them, and the first series twice. */
async function disorder(i: number): Promise<void> {
  const series = await readLooseSeries(new NodeDisk(), path(i, 'index'));
  const symbols = [...new Set(series.flatMap(({ labels }) => labels))];
  const turned = series.map(({ labels, chunks }) => ({
    labels: labels.flatMap((_, k) =>
      k % 2 === 0 ? [labels[labels.length - 2 - k], labels[labels.length - 1 - k]] : [],
    ),
    chunks,
  }));
  writeFileSync(path(i, 'index'), encodeLooseIndex(symbols, [turned[0], ...turned]));
}

test('bad blocks are found, tried, repaired and set aside, each with its exit code', async () => {
  expect(await verify()).toMatchObject({
    code: 0,
    err: expect.stringContaining('2 good, 0 repaired, 0 bad'),
  });
  await disorder(0);
  truncateSync(path(1, 'chunks/000001'), 1000);

  const found = await verify();
  expect(found).toMatchObject({ code: 1, out: expect.stringMatching(/BAD .*\n.*out of order[\s\S]*BAD/) });
  const tried = await verify('--repair', '--dry-run');
  expect(tried.code).toBe(1);
  expect(tried.out).toMatch(
    /would be repaired: symbols, labels or series were put in order; 1 series that were there again/,
  );
  expect(tried.out).toMatch(/would be set aside: .*chunk/);
  expect(blocks()).toEqual(BLOCKS);
  expect(existsSync(path(1, 'quarantine-mark.json'))).toBe(false);

  const repaired = JSON.parse((await verify('--repair', '--json')).out);
  expect(repaired).toMatchObject([
    { good: false, action: 'rewrite', done: true, into: expect.stringMatching(/^[0-9A-Z]{26}$/) },
    { good: false, action: 'quarantine', done: true, reason: expect.stringContaining('chunk') },
  ]);
  expect(blocks()).toContain(repaired[0].into);
  const mark = (i: number, kind: string) => JSON.parse(readFileSync(path(i, `${kind}-mark.json`), 'utf8'));
  expect(mark(0, 'deletion').details).toBe(`repaired: its samples are in ${repaired[0].into}`);
  expect(mark(1, 'quarantine')).toMatchObject({ id: BLOCKS[1], version: 1, reason: 'damaged' });
  const meta = JSON.parse(readFileSync(join(dir, 'bucket/acme', repaired[0].into, 'meta.json'), 'utf8'));
  expect(meta.thanos).toMatchObject({ source: 'bucket.repair', labels: { __org_id__: 'acme' } });
  // What is marked for deletion is left alone; what is set aside is still bad.
  expect(await verify(repaired[0].into)).toMatchObject({
    code: 0,
    out: expect.stringContaining('ok 40 series'),
  });
  expect(await verify()).toMatchObject({
    code: 1,
    err: expect.stringContaining('1 good, 0 repaired, 1 bad'),
  });
});

test('wrong counts are put right in place, with exit code 0', async () => {
  const meta = JSON.parse(readFileSync(path(0, 'meta.json'), 'utf8'));
  writeFileSync(path(0, 'meta.json'), JSON.stringify({ ...meta, stats: { ...meta.stats, numSeries: 3 } }));
  expect(await verify()).toMatchObject({
    code: 1,
    out: expect.stringContaining('40 series, meta.json says 3'),
  });
  expect(await verify('--repair')).toMatchObject({
    code: 0,
    out: expect.stringContaining('put right: counts and files in meta.json'),
  });
  expect(JSON.parse(readFileSync(path(0, 'meta.json'), 'utf8')).stats).toEqual({
    ...meta.stats,
    numFloatSamples: 4800,
  });
});

test('a meta.json that does not decode and a missing index are told, and set aside with a mark', async () => {
  writeFileSync(path(0, 'meta.json'), '{');
  rmSync(path(1, 'index'));
  expect((await verify()).out).toMatch(/meta.json: not JSON in UTF-8/);
  expect(await verify('--repair')).toMatchObject({ code: 1 });
  expect(JSON.parse(readFileSync(path(0, 'quarantine-mark.json'), 'utf8')).details).toMatch(
    /meta.json: not JSON in UTF-8/,
  );
  expect(JSON.parse(readFileSync(path(1, 'quarantine-mark.json'), 'utf8'))).toMatchObject({ hidden: true });
  expect(await verify('01HF4D3T000000000000000009')).toMatchObject({
    code: 1,
    err: expect.stringContaining('no whole block'),
  });
});

test('a block of a version to come is told and left alone', async () => {
  const meta = JSON.parse(readFileSync(path(0, 'meta.json'), 'utf8'));
  writeFileSync(path(0, 'meta.json'), JSON.stringify({ ...meta, version: 2 }));
  const { code, out } = await verify('--repair');
  expect(code).toBe(1);
  expect(out).toMatch(/version is 2, only 1 is known; left alone/);
  expect(existsSync(path(0, 'quarantine-mark.json'))).toBe(false);
});

test('a block whose meta.json does not decode goes when it is marked for deletion, and only then', async () => {
  writeFileSync(path(0, 'meta.json'), '{');
  const at = ['--dir', join(dir, 'bucket')];
  const cleanup = ['cleanup', ...at, '--deletion-delay', '0s', '--partial-delay', '0s'];
  await bucketCommand(...cleanup);
  expect(blocks()).toEqual(BLOCKS);
  expect((await bucketCommand('mark', BLOCKS[0], '--marker', 'deletion', ...at)).code).toBe(0);
  await bucketCommand(...cleanup);
  expect(blocks()).toEqual([BLOCKS[1]]);
});
