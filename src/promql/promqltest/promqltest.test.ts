import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runScript } from './run-script.ts';
import { engineSubject } from './subject.ts';

const OWN = fileURLToPath(new URL('../testdata/', import.meta.url));
/** Prometheus' own scripts, beside the repository where somebody put them there. */
const SHARED = fileURLToPath(new URL('../../../../shared/promqltest/', import.meta.url));

function scriptsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.test'));
}

async function failuresOf(path: string): Promise<string[]> {
  const { passed, failures } = await runScript(readFileSync(path, 'utf8'), engineSubject);
  expect(passed + failures.length).toBeGreaterThan(0);
  return failures.map(({ line, query, problem }) => `${line} ${query}: ${problem}`);
}

test.each(scriptsIn(OWN))('the script %s passes', async (name) => {
  expect(await failuresOf(OWN + name)).toEqual([]);
});

describe.skipIf(!existsSync(SHARED))("Prometheus' scripts (skipped where their folder is absent)", () => {
  const names = existsSync(SHARED) ? scriptsIn(SHARED) : [];
  test.each(names)('%s passes', { timeout: 60_000 }, async (name) => {
    expect(await failuresOf(SHARED + name)).toEqual([]);
  });
});
