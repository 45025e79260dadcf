import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MemoryStorage } from '../../storage/memory-storage.ts';
import type { Subject } from '../promqltest/harness.ts';
import { runScript } from '../promqltest/run-script.ts';
import { loadSeries } from '../promqltest/subject.ts';
import { Reference } from './reference.ts';
import { readEverything } from './source.ts';

const OWN = fileURLToPath(new URL('../testdata/', import.meta.url));
/** Prometheus' own scripts, beside the repository where somebody put them there. */
const SHARED = fileURLToPath(new URL('../../../../shared/promqltest/', import.meta.url));

function referenceSubject(): Subject {
  const storage = new MemoryStorage();
  const options = { delayed: true, startTimes: true };
  let reference = new Reference([], options);
  return {
    load: async (series) => {
      await loadSeries(storage, series);
      reference = new Reference(await readEverything(storage), options);
    },
    instant: async (query, t) => reference.instant(query, t),
    range: async (query, start, end, step) => reference.range(query, start, end, step),
    close: async () => storage.clear(),
  };
}

async function failuresOf(path: string): Promise<string[]> {
  const { passed, failures } = await runScript(readFileSync(path, 'utf8'), referenceSubject);
  expect(passed + failures.length).toBeGreaterThan(0);
  return failures.map(({ line, query, problem }) => `${line} ${query}: ${problem}`);
}

function scriptsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.test'));
}

test.each(scriptsIn(OWN))('the reference passes the script %s', async (name) => {
  expect(await failuresOf(OWN + name)).toEqual([]);
});

describe.skipIf(!existsSync(SHARED))("Prometheus' scripts (skipped where their folder is absent)", () => {
  const names = existsSync(SHARED) ? scriptsIn(SHARED) : [];
  test.each(names)('the reference passes %s', { timeout: 60_000 }, async (name) => {
    const failures = await failuresOf(SHARED + name);
    expect(failures).toEqual([]);
  });
});
