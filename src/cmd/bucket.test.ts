import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bucketCommand } from './testdata/bucket-command.ts';

const TESTDATA = join(import.meta.dirname, '../store-gateway/testdata');
const BLOCKS = readdirSync(TESTDATA).filter((name) => !name.endsWith('.md'));
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'verona-bucket-'));
  for (const block of BLOCKS)
    cpSync(join(TESTDATA, block), join(dir, 'prometheus', block), { recursive: true });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const tool = bucketCommand;
const at = (name: string) => ['--dir', join(dir, name)];
const json = async (...args: readonly string[]) => JSON.parse((await tool(...args, '--json')).out);

test('blocks of a Prometheus are uploaded once, listed, measured and found good', async () => {
  const upload = ['upload', join(dir, 'prometheus'), ...at('cortex'), '--tenant', 'acme'];
  expect((await json(...upload, '--dry-run')).map(({ outcome }: { outcome: string }) => outcome)).toEqual([
    'would be copied',
    'would be copied',
  ]);
  expect(await json(...upload, '--checksum')).toMatchObject(
    BLOCKS.map((ulid) => ({ ulid, outcome: 'copied' })),
  );
  expect(await json(...upload)).toMatchObject(BLOCKS.map((ulid) => ({ ulid, outcome: 'present', bytes: 0 })));
  expect((await tool('ls', ...at('cortex'))).out).toBe(BLOCKS.map((ulid) => `acme\tacme/${ulid}\n`).join(''));
  expect((await tool('inspect', ...at('cortex'))).out).toMatch(
    /acme +01M84A5FMXK6K8S0ZCB89TRMN1 +tenant +2023-11-15T00:00:00.000Z/,
  );
  expect(await json('du', ...at('cortex'))).toMatchObject([{ tenant: 'acme', what: 'raw', blocks: 2 }]);
  expect(await tool('fsck', ...at('cortex'))).toMatchObject({ code: 0, out: '' });
  expect(await tool('verify', ...at('cortex'))).toMatchObject({
    code: 0,
    out: expect.stringContaining('ok 40 series'),
  });
});

test("they move to Thanos' layout with a label that names the tenant, and back with the others on their series", async () => {
  const there = ['copy', ...at('cortex'), '--to.dir', join(dir, 'thanos'), '--layout', 'thanos'];
  expect(await tool(...there, '--tenant-label', '')).toMatchObject({
    code: 2,
    err: expect.stringContaining('needs an external label'),
  });
  expect((await tool(...there, '--label', 'cluster=a', 'replica=0')).code).toBe(0);
  expect((await tool('ls', ...at('thanos'))).out).toBe('');
  const thanos = [...at('thanos'), '--thanos-tenant-label', 'tenant_id'];
  expect((await tool('ls', ...thanos)).out).toBe(BLOCKS.map((ulid) => `acme\t${ulid}\n`).join(''));
  expect((await json('inspect', ...thanos))[0].labels).toEqual({
    tenant_id: 'acme',
    cluster: 'a',
    replica: '0',
  });

  const back = ['copy', ...thanos, '--to.dir', join(dir, 'back'), '--replica-label', 'replica'];
  const first = await json(...back);
  expect(first).toMatchObject([
    { tenant: 'acme', outcome: 'copied', seriesLabels: { cluster: 'a' } },
    { outcome: 'copied' },
  ]);
  expect(await json(...back)).toMatchObject(
    first.map(({ ulid }: { ulid: string }) => ({ ulid, outcome: 'present', bytes: 0 })),
  );
  const [block] = await json('inspect', ...at('back'));
  expect(block).toMatchObject({
    tenant: 'acme',
    labels: { __org_id__: 'acme', replica: '0' },
    seriesCount: 40,
  });
  expect(await tool('verify', ...at('back'))).toMatchObject({ code: 0 });
});

test("as Cortex' thanosconvert they lose their external labels, when that is said", async () => {
  const thanos = [...at('thanos'), '--thanos-tenant-label', 'tenant_id'];
  const to = ['--to.dir', join(dir, 'dropped'), '--to-tenant', 'beta', '--drop-external-labels'];
  expect(await json('copy', ...thanos, ...to, '--checksum')).toMatchObject(
    BLOCKS.map((ulid) => ({ ulid, tenant: 'beta', outcome: 'copied', seriesLabels: {} })),
  );
  expect((await json('inspect', ...at('dropped')))[0].labels).toEqual({ __org_id__: 'beta' });
});

test('nothing is copied to a tenant that is being deleted, nor with samples that are to be deleted', async () => {
  cpSync(join(dir, 'cortex'), join(dir, 'other'), { recursive: true });
  mkdirSync(join(dir, 'gone/__markers__/acme'), { recursive: true });
  writeFileSync(join(dir, 'gone/__markers__/acme/tenant-deletion-mark.json'), '{"deletion_time":1700000000}');
  expect(await tool('copy', ...at('other'), '--to.dir', join(dir, 'gone'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('tenant acme is being deleted'),
  });
  const id = '01M9000000000000000000000A';
  const request = { id, version: 1, time: 2e12, min_time: 0, max_time: 4e12 };
  const matcher_sets = [[{ name: 'a', type: '=', value: 'b' }]];
  mkdirSync(join(dir, 'other/acme/deletions'));
  writeFileSync(join(dir, `other/acme/deletions/${id}.json`), JSON.stringify({ ...request, matcher_sets }));
  const copied = await tool('copy', ...at('other'), '--to.dir', join(dir, 'elsewhere'));
  expect(copied).toMatchObject({ code: 1, err: expect.stringContaining('would show again') });
  expect(
    (await tool('copy', ...at('other'), '--to.dir', join(dir, 'elsewhere'), '--ignore-tombstones')).code,
  ).toBe(0);
});

test('marks are set, taken away and followed by a clean-up', async () => {
  const [first, second] = BLOCKS;
  expect((await tool('mark', first, 'nonsense', ...at('cortex'), '--marker', 'deletion')).code).toBe(1);
  await tool('mark', first, ...at('cortex'), '--marker', 'deletion', '--dry-run');
  await tool('mark', second, ...at('cortex'), '--marker', 'no-compact', '--details', 'why');
  expect(
    (await json('inspect', ...at('cortex'))).map(({ marks }: { marks: object }) => Object.keys(marks)),
  ).toEqual([[], ['no-compact']]);
  await tool('unmark', second, ...at('cortex'), '--marker', 'no-compact');
  await tool('mark', first, ...at('cortex'), '--marker', 'deletion');
  expect(await json('cleanup', ...at('cortex'))).toEqual([]);
  expect(await json('cleanup', ...at('cortex'), '--deletion-delay', '0s', '--dry-run')).toMatchObject([
    { ulid: first, done: false },
  ]);
  expect(await json('cleanup', ...at('cortex'), '--deletion-delay', '0s')).toMatchObject([
    { ulid: first, done: true },
  ]);
  expect(readdirSync(join(dir, 'cortex/acme'))).toEqual([second]);
});

test('damage is found, with an exit code', async () => {
  truncateSync(join(dir, 'dropped/beta', BLOCKS[0], 'index'), 100);
  expect(await tool('fsck', ...at('dropped'))).toMatchObject({
    code: 1,
    out: expect.stringContaining('100 bytes, meta.json says'),
  });
  expect(await tool('verify', BLOCKS[0], ...at('dropped'))).toMatchObject({
    code: 1,
    out: expect.stringContaining('BAD'),
  });
});

test('files of no use, broken marks and impossible tenants are told, on one line each', async () => {
  const block = join(dir, 'odd/acme', BLOCKS[0]);
  cpSync(join(dir, 'prometheus', BLOCKS[0]), block, { recursive: true });
  writeFileSync(join(block, 'notes.txt'), '');
  writeFileSync(join(block, 'no-compact-mark.json'), `{"id":"${BLOCKS[0]}","version":2}`);
  const meta = JSON.parse(readFileSync(join(block, 'meta.json'), 'utf8'));
  const labels = { 'a\n\u001b[31m': 'b' };
  writeFileSync(join(block, 'meta.json'), JSON.stringify({ ...meta, thanos: { version: 1, labels } }));
  mkdirSync(join(dir, 'odd/te am$'));
  writeFileSync(join(dir, 'odd/te am$/x'), '');
  const { code, out } = await tool('fsck', ...at('odd'));
  expect(code).toBe(1);
  expect(out.trim().split('\n')).toEqual([
    'warning: te am$/: tenant id: "te am$" has the character " " at 2',
    `warning: acme/${BLOCKS[0]}/notes.txt: no file of a block`,
    `error: acme/${BLOCKS[0]}: no-compact-mark.json: version is 2, only 1 is known; nobody heeds the mark`,
  ]);
  expect((await tool('inspect', ...at('odd'))).out).toContain('a\ufffd\ufffd[31m="b"');
  expect((await tool('ls', ...at('odd'), '--tenant', 'amce')).err).toContain(
    'tenant amce has no blocks here',
  );
});

test('OpenMetrics text becomes blocks of a tenant', async () => {
  const lines = Array.from({ length: 300 }, (_, i) => `m{a="b"} ${i} ${1_700_000_000 + i * 60}`);
  writeFileSync(join(dir, 'text.om'), `# TYPE m gauge\n${lines.join('\n')}\n# EOF\n`);
  const made = await tool('upload', join(dir, 'text.om'), '--openmetrics', ...at('om'), '--tenant', 'acme');
  expect(made).toMatchObject({ code: 0 });
  expect(await tool('upload', join(dir, 'text.om'), ...at('om'), '--tenant', 'acme')).toMatchObject({
    code: 1,
    err: expect.stringContaining('--openmetrics'),
  });
  const blocks: { chunkCount: number }[] = await json('inspect', ...at('om'));
  expect(blocks.length).toBeGreaterThan(2);
});

test('a command line that names no bucket, two, or no tenant that can be, is refused', async () => {
  expect((await tool('ls')).code).toBe(2);
  expect((await tool('ls', ...at('a'), '--objstore.config', 'type: MEMORY')).code).toBe(2);
  expect((await tool('ls', ...at('a'), '--tenant', '../x')).code).toBe(2);
  expect((await tool('upload', dir, ...at('a'))).code).toBe(2);
  for (const ranges of ['0s', '12h,2h', '2h,3h', ''])
    expect((await tool('compact', '--plan', ...at('om'), '--block-ranges', ranges)).code, ranges).toBe(2);
});
