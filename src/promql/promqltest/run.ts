import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runScript } from './run-script.ts';
import { engineSubject } from './subject.ts';

/** `npm run promqltest -- <folder or file>…`: runs `.test` scripts against the engine; exit code 1 when one fails. */
async function main(paths: readonly string[]): Promise<number> {
  if (paths.length === 0) {
    console.error('usage: promqltest <folder or file>…');
    return 2;
  }
  let passed = 0;
  let failed = 0;
  for (const file of paths.flatMap(scriptsIn)) {
    const result = await runFile(file);
    passed += result.passed;
    failed += result.failed;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function scriptsIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => name.endsWith('.test'));
  return names.sort().map((name) => join(path, name));
}

async function runFile(file: string): Promise<{ passed: number; failed: number }> {
  try {
    const { passed, failures } = await runScript(readFileSync(file, 'utf8'), engineSubject);
    console.log(`${file}: ${passed} passed, ${failures.length} failed`);
    for (const { line, query, problem } of failures)
      console.log(`  ${file}:${line} ${query}\n    ${problem}`);
    return { passed, failed: failures.length };
  } catch (error) {
    console.log(`${file}: ${(error as Error).message}`);
    return { passed: 0, failed: 1 };
  }
}

process.exitCode = await main(process.argv.slice(2));
