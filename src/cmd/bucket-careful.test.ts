import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bucketCommand } from './testdata/bucket-command.ts';

const TESTDATA = join(import.meta.dirname, '../store-gateway/testdata');
const BLOCKS = readdirSync(TESTDATA).filter((name) => !name.endsWith('.md'));
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'verona-careful-'));
  for (const block of BLOCKS) {
    cpSync(join(TESTDATA, block), join(dir, 'prometheus', block), { recursive: true });
    cpSync(join(TESTDATA, block), join(dir, 'bucket/acme', block), { recursive: true });
  }
  const lines = Array.from({ length: 300 }, (_, i) => `m{a="b"} ${i} ${1_700_000_000 + i * 60}`);
  writeFileSync(join(dir, 'text.om'), `# TYPE m gauge\n${lines.join('\n')}\n# EOF\n`);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const at = (name: string) => ['--dir', join(dir, name)];

/** Every file below a folder with its contents, as one text; undefined when it is not there. */
function contents(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const lines = files.map(({ parentPath, name }) => {
    const hash = createHash('sha256').update(readFileSync(join(parentPath, name)));
    return `${join(parentPath, name)} ${hash.digest('hex')}`;
  });
  return lines.sort().join('\n');
}

/** Blocks that are whole and not marked, by their folder. */
async function present(name: string): Promise<string[]> {
  const { out } = await bucketCommand('inspect', ...at(name), '--json');
  const blocks = JSON.parse(out) as { folder: string; marks: object }[];
  return blocks.filter(({ marks }) => !('deletion' in marks)).map(({ folder }) => folder);
}

/** Presses Ctrl-C as soon as standard error says so. */
async function interrupted(words: RegExp, ...args: readonly string[]) {
  const [{ write }, handlers] = [process.stderr, process.listenerCount('SIGINT')];
  const running = bucketCommand(...args);
  const keep = process.stderr.write;
  process.stderr.write = ((text: string) => {
    if (words.test(text)) process.emit('SIGINT');
    return keep.call(process.stderr, text);
  }) as typeof write;
  const result = await running;
  expect(process.listenerCount('SIGINT')).toBe(handlers);
  return result;
}

test('--dry-run changes nothing, whatever the command, and says what would be done', async () => {
  const [first] = BLOCKS;
  const before = contents(join(dir, 'bucket'));
  const rules = '[{action: labeldrop, regex: zone}]';
  const commands: [words: RegExp, ...args: string[]][] = [
    [/would be copied/, 'copy', ...at('bucket'), '--to.dir', join(dir, 'nowhere')],
    [/would be copied/, 'copy', ...at('bucket'), '--layout', 'thanos', '--label', 'a=b'],
    [/would be copied/, 'upload', join(dir, 'prometheus'), ...at('empty'), '--tenant', 'acme'],
    [/would be copied/, 'upload', join(dir, 'text.om'), '--openmetrics', ...at('empty'), '--tenant', 'acme'],
    [/would mark/, 'mark', first, ...at('bucket'), '--marker', 'deletion'],
    [/would unmark/, 'unmark', first, ...at('bucket'), '--marker', 'deletion'],
    [/would mark/, 'retention', ...at('bucket'), '--resolution-raw', '1d'],
    [/compact acme: .*1 jobs/s, 'compact', ...at('bucket'), '--settle-delay', '0s'],
    [/0 jobs/, 'downsample', ...at('bucket'), '--settle-delay', '0s', '--5m-after', '1h'],
    [/would rewrite/, 'rewrite', first, ...at('bucket'), '--delete', '{odd="yes"}'],
    [/would rewrite/, 'rewrite', first, ...at('bucket'), '--relabel-config', rules],
    [/ok 40 series/, 'verify', ...at('bucket'), '--repair'],
    [/nothing to clean up/, 'cleanup', ...at('bucket'), '--deletion-delay', '0s'],
  ];
  for (const [words, ...args] of commands) {
    const { code, out, err } = await bucketCommand(...args, '--dry-run');
    expect([code, out + err], args.join(' ')).toEqual([0, expect.stringMatching(words)]);
    expect(contents(join(dir, 'bucket')), args.join(' ')).toBe(before);
    for (const untouched of ['empty', 'nowhere'])
      expect(existsSync(join(dir, untouched)), untouched).toBe(false);
  }
  await bucketCommand('mark', first, ...at('bucket'), '--marker', 'deletion');
  const marked = contents(join(dir, 'bucket'));
  const cleanup = await bucketCommand('cleanup', ...at('bucket'), '--deletion-delay', '0s', '--dry-run');
  expect(cleanup).toMatchObject({ code: 0, out: `would delete block acme/${first}\n` });
  expect(contents(join(dir, 'bucket'))).toBe(marked);
  await bucketCommand('unmark', first, ...at('bucket'), '--marker', 'deletion');
});

test('an upload that is interrupted says so, and the next one sends only the rest', async () => {
  const upload = ['upload', join(dir, 'prometheus'), ...at('sent'), '--tenant', 'acme'];
  const first = await interrupted(/^1\/2 /, ...upload);
  expect(first).toMatchObject({
    code: 1,
    err: 'interrupted; what was done stays, and the same command goes on with the rest',
  });
  expect(await present('sent')).toEqual([`acme/${BLOCKS[0]}`]);
  const plan = await bucketCommand(...upload, '--dry-run', '--json');
  expect(JSON.parse(plan.out)).toMatchObject([
    { outcome: 'present', bytes: 0 },
    { outcome: 'would be copied' },
  ]);
  const second = await bucketCommand(...upload);
  expect(second.code).toBe(0);
  expect(second.err).toMatch(/1\/2 .*: present 0B\n2\/2 .*: copied .*\n2 blocks, [\d.]+KiB\n$/);
  expect(await present('sent')).toHaveLength(2);
});

test('a text that is uploaded again makes no second blocks, also after an interruption', async () => {
  const upload = ['upload', join(dir, 'text.om'), '--openmetrics', ...at('text'), '--tenant', 'acme'];
  expect((await interrupted(/^1\/3 /, ...upload)).code).toBe(1);
  const [sent] = await present('text');
  expect((await bucketCommand(...upload)).err).toMatch(/^1\/3 .*: present 0B\n2\/3 .*: copied/);
  const all = await present('text');
  expect(all).toHaveLength(3);
  expect(all).toContain(sent);
  expect((await bucketCommand(...upload)).err).toMatch(/3 blocks, 0B\n$/);
  // Of another owner, or of one that was marked for deletion, it is another block.
  await bucketCommand(...upload.with(-1, 'beta'));
  expect(await present('text')).toHaveLength(6);
  await bucketCommand('mark', sent.slice('acme/'.length), ...at('text'), '--marker', 'deletion');
  expect((await bucketCommand(...upload)).err).toMatch(/^1\/3 .*: copied/);
  expect(await present('text')).toHaveLength(6);
});

test('rewriting that is interrupted goes on, and does not write anew what it has written', async () => {
  cpSync(join(dir, 'bucket'), join(dir, 'rewritten'), { recursive: true });
  const rewrite = ['rewrite', ...BLOCKS, ...at('rewritten'), '--delete', '{odd="yes"}'];
  let begun = 0;
  const second = { test: (text: string) => /^rewrite acme/.test(text) && ++begun === 2 } as unknown as RegExp;
  expect((await interrupted(second, ...rewrite)).code).toBe(1);
  const [kept, made] = (await present('rewritten')).sort();
  expect(kept).toBe(`acme/${BLOCKS[1]}`);
  const again = await bucketCommand(...rewrite);
  expect(again).toMatchObject({ code: 0 });
  expect(again.err).toMatch(/2 blocks: 1 marked for deletion, left alone, 1 rewritten\n$/);
  expect(await present('rewritten')).toEqual(expect.arrayContaining([made]));
  expect(await present('rewritten')).toHaveLength(2);
});

test('compaction that is interrupted leaves nothing behind, and is done by the next run', async () => {
  cpSync(join(dir, 'bucket'), join(dir, 'joined'), { recursive: true });
  const before = contents(join(dir, 'joined'));
  const compact = ['compact', ...at('joined'), '--settle-delay', '0s'];
  expect(await interrupted(/^compact acme/, ...compact)).toMatchObject({ code: 1 });
  expect(contents(join(dir, 'joined'))).toBe(before);
  const { code, out, err } = await bucketCommand(...compact, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject([{ outcome: 'done' }]);
  expect(err).toMatch(/\n1 jobs done: 1 new blocks out of [\d.]+KiB\n$/);
  expect(await present('joined')).toHaveLength(1);
  expect((await bucketCommand(...compact)).err).toMatch(/nothing to do\n$/);
});
