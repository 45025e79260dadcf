import { cpSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
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

test("they move to Thanos' layout with a label, and back only when that label may go", async () => {
  expect(
    await tool('copy', ...at('cortex'), '--to.dir', join(dir, 'thanos'), '--layout', 'thanos'),
  ).toMatchObject({
    code: 2,
    err: expect.stringContaining('needs an external label'),
  });
  const there = await tool(
    'copy',
    ...at('cortex'),
    '--to.dir',
    join(dir, 'thanos'),
    '--layout',
    'thanos',
    '--label',
    'tenant_id=acme',
    'cluster=a',
  );
  expect(there.code).toBe(0);
  expect((await tool('ls', ...at('thanos'))).out).toBe('');
  const thanos = [...at('thanos'), '--thanos-tenant-label', 'tenant_id'];
  expect((await tool('ls', ...thanos)).out).toBe(BLOCKS.map((ulid) => `acme\t${ulid}\n`).join(''));
  const back = ['copy', ...thanos, '--to.dir', join(dir, 'back'), '--to-tenant', 'beta'];
  expect(await tool(...back)).toMatchObject({
    code: 2,
    err: expect.stringContaining('external labels cluster,'),
  });
  expect((await tool(...back, '--drop-external-labels')).code).toBe(0);
  expect((await json('inspect', ...at('back')))[0]).toMatchObject({
    tenant: 'beta',
    labels: { __org_id__: 'beta' },
  });
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
  truncateSync(join(dir, 'back/beta', BLOCKS[0], 'index'), 100);
  expect(await tool('fsck', ...at('back'))).toMatchObject({
    code: 1,
    out: expect.stringContaining('100 bytes, meta.json says'),
  });
  expect(await tool('verify', BLOCKS[0], ...at('back'))).toMatchObject({
    code: 1,
    out: expect.stringContaining('BAD'),
  });
});

test('OpenMetrics text becomes blocks of a tenant', async () => {
  const lines = Array.from({ length: 300 }, (_, i) => `m{a="b"} ${i} ${1_700_000_000 + i * 60}`);
  writeFileSync(join(dir, 'text.om'), `# TYPE m gauge\n${lines.join('\n')}\n# EOF\n`);
  const made = await tool('upload', join(dir, 'text.om'), '--openmetrics', ...at('om'), '--tenant', 'acme');
  expect(made).toMatchObject({ code: 0 });
  const blocks: { chunkCount: number }[] = await json('inspect', ...at('om'));
  expect(blocks.length).toBeGreaterThan(2);
});

test('a command line that names no bucket, two, or no tenant that can be, is refused', async () => {
  expect((await tool('ls')).code).toBe(2);
  expect((await tool('ls', ...at('a'), '--objstore.config', 'type: MEMORY')).code).toBe(2);
  expect((await tool('ls', ...at('a'), '--tenant', '../x')).code).toBe(2);
  expect((await tool('upload', dir, ...at('a'))).code).toBe(2);
});
