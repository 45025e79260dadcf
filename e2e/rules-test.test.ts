import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { program } from './programs.ts';

/** `verona promql test` beside promtool on the same files, good and bad. */
const FOLDER = join(import.meta.dirname, 'testdata/rules');
const MAIN = join(import.meta.dirname, '../src/cmd/main.ts');
const run = promisify(execFile);

async function outcome(command: string, args: readonly string[]) {
  try {
    return { ...(await run(command, [...args], { cwd: FOLDER })), code: 0 };
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    return { stdout, stderr, code };
  }
}

async function both(...files: string[]) {
  const promtool = await program('promtool');
  return Promise.all([
    outcome(promtool, ['test', 'rules', ...files]),
    outcome(process.execPath, [MAIN, 'promql', 'test', ...files]),
  ]);
}

const GOOD = ['passing.yml', 'absent-rules.yml', 'empty.yml'];
const BAD = [
  'failing.yml',
  'templates.yml',
  'same-labels.yml',
  'broken.yml',
  'bad-rule-field.yml',
  'unknown-field.yml',
  'repeated-group.yml',
  'bad-duration.yml',
];

test('promql test says of good files what promtool says, and ends with 0', async () => {
  const [theirs, ours] = await both(...GOOD);
  expect(ours).toEqual(theirs);
  expect(ours.code).toBe(0);
  expect(ours.stdout.match(/SUCCESS/g)).toHaveLength(GOOD.length);
});

test('promql test says of bad files what promtool says, and ends with 1', async () => {
  const [theirs, ours] = await both(...BAD, 'passing.yml');
  expect(ours).toEqual(theirs);
  expect(ours.code).toBe(1);
  expect(ours.stderr.match(/FAILED/g)).toHaveLength(BAD.length);
});
