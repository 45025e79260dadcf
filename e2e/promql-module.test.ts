import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as promql from '../src/promql/module/module.ts';
import { startChromium } from './chromium.ts';
import { answersOf, QUERIES } from './promql-module/answers.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');
const MINUTE_MS = 60_000;
/** With the kernel, without the library that rarer regular expressions make it load. */
const BUNDLE_BYTES_MAX = 250_000;

/** A project of somebody else with the packed package in its `node_modules`. */
let consumer = '';

beforeAll(async () => {
  consumer = await mkdtemp(join(tmpdir(), 'verona-consumer-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', consumer], { cwd: ROOT });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
  await mkdir(join(consumer, 'node_modules/verona'), { recursive: true });
  await run('tar', ['-xzf', filename, '--strip-components=1', '-C', 'node_modules/verona'], {
    cwd: consumer,
  });
  await writeFile(join(consumer, 'package.json'), JSON.stringify({ type: 'module' }));
  const answers = await readFile(join(import.meta.dirname, 'promql-module/answers.ts'), 'utf8');
  await writeFile(join(consumer, 'answers.js'), stripTypeScriptTypes(answers));
}, 2 * MINUTE_MS);

afterAll(async () => {
  await rm(consumer, { recursive: true, force: true });
});

const expected = answersOf(promql);

test('there are a hundred queries, and nearly all of them have an answer', async () => {
  expect(QUERIES.length).toBeGreaterThanOrEqual(100);
  expect(new Set(QUERIES).size).toBe(QUERIES.length);
  const empty = (await expected).filter((text) => /\["(vector|matrix)",\[\]/.test(text));
  expect(empty.length).toBeLessThan(5);
  expect((await expected).filter((text) => /: VeronaError: .* \| VeronaError: /.test(text))).toHaveLength(5);
});

test.each([
  ['this Node', process.execPath],
  ['the Node of the system', '/usr/bin/node'],
])('an installed package gives %s the answers of the sources', async (_, node) => {
  if (!existsSync(node)) return console.warn(`${node} is not there`);
  await writeFile(
    join(consumer, 'main.js'),
    "import * as promql from 'verona/promql';\nimport { answersOf } from './answers.js';\n" +
      'let early;\n' +
      'try { promql.parseExpr(\'x{a=~"(?i)b"}\'); } catch (error) { early = error.code; }\n' +
      'const answers = await answersOf(promql);\n' +
      'promql.parseExpr(\'x{a=~"(?i)b"}\');\n' +
      'process.stdout.write(JSON.stringify({ early, answers }));\n',
  );
  const { stdout } = await run(node, ['main.js'], { cwd: consumer, maxBuffer: 2 ** 26 });
  const { early, answers } = JSON.parse(stdout);
  expect(early).toBe('unavailable');
  expect(differences(answers, await expected)).toEqual([]);
});

test('the types of an installed package are right for a project in TypeScript', async () => {
  await writeFile(
    join(consumer, 'typed.ts'),
    "import { Engine, queryableOf, type QueryResult } from 'verona/promql';\n" +
      "const source = queryableOf([{ labels: { __name__: 'up' }, samples: [[0, 1]] }]);\n" +
      'const signal = new AbortController().signal;\n' +
      "export const result: Promise<QueryResult> = new Engine().instant({ signal }, source, 'up', { timeMs: 0 });\n" +
      '// @ts-expect-error: a query is a text\n' +
      'new Engine().parse(1);\n',
  );
  const options =
    '--noEmit --strict --skipLibCheck false --module nodenext --target es2024 --lib es2024,dom,esnext.disposable --types [] typed.ts';
  const types = options.replace(' --types []', '').split(' ');
  await run(join(ROOT, 'node_modules/.bin/tsc'), types, { cwd: consumer }).catch(
    (error: { stdout: string }) => expect(error.stdout).toBe(''),
  );
});

test(
  'a bundle by Vite gives the same answers in a browser, and is small',
  async () => {
    const { build } = await import('vite');
    await writeFile(
      join(consumer, 'browser.js'),
      "import * as promql from 'verona/promql';\nimport { answersOf } from './answers.js';\n" +
        "const send = (body) => fetch('/answers', { method: 'POST', body });\n" +
        'answersOf(promql).then((answers) => send(JSON.stringify(answers)), (error) => send(String(error.stack)));\n',
    );
    await writeFile(
      join(consumer, 'index.html'),
      '<!doctype html><script type="module" src="/browser.js"></script>',
    );
    await writeFile(join(consumer, 'only.js'), "export * from 'verona/promql';\n");
    const common = { root: consumer, configFile: false, logLevel: 'error' } as const;
    await build({ ...common, build: { outDir: 'site' } });
    const alone = await build({
      ...common,
      build: {
        write: false,
        rolldownOptions: { input: join(consumer, 'only.js'), preserveEntrySignatures: 'strict' },
      },
    });
    const [bytes, late] = (alone as { output: { code?: string }[] }).output.map(({ code = '' }) =>
      Buffer.byteLength(code),
    );
    console.log(`verona/promql, bundled and minified: ${bytes} bytes, and ${late} when they are needed`);
    expect(late).toBeGreaterThan(100_000);
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(BUNDLE_BYTES_MAX);
    expect(differences(JSON.parse(await answerOfPage(join(consumer, 'site'))), await expected)).toEqual([]);
  },
  4 * MINUTE_MS,
);

/** Engines of JavaScript may differ in the last bits of `Math.exp` and its kind. */
const APPROXIMATE = /^(exp|ln|log2|log10|sin|atan)\(|[\^]| atan2 |exponential/;
const NUMBER = /(?<=[=:])-?[\d.]+(e[+-]?\d+)?(?=[ "])/g;

/** The queries whose answers differ. */
function differences(found: readonly string[], wanted: readonly string[]): string[] {
  expect(found).toHaveLength(wanted.length);
  return QUERIES.filter((query, i) => {
    if (found[i] === wanted[i]) return false;
    return !APPROXIMATE.test(query) || rounded(found[i]) !== rounded(wanted[i]);
  });
}

function rounded(answer: string): string {
  return answer.replace(NUMBER, (text) => Number(text).toPrecision(13));
}

/** Serves a folder to a browser until a page of it posts something, and gives that. */
async function answerOfPage(site: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      resolve((await request.toArray()).join(''));
      return response.end();
    }
    const path = request.url === '/' ? '/index.html' : (request.url ?? '');
    const type = path.endsWith('.js') ? 'text/javascript' : 'text/html';
    const body = await readFile(join(site, path)).catch(() => undefined);
    return response.writeHead(body ? 200 : 404, { 'content-type': `${type};charset=utf-8` }).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const browser = await startChromium(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  try {
    return await Promise.race([promise, browser.ended]);
  } finally {
    await browser.stop();
    server.close();
    server.closeAllConnections();
  }
}
