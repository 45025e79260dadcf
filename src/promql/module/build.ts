import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/**
 * Makes `dist/promql.js` and its declarations in `dist/types/` (npm's `prepack`): Node strips types in a checkout only,
 * not in `node_modules`. The file has everything inside, the kernel too, and imports nothing but `dist/regex.js` when a query
 * needs it.
 */
const HERE = import.meta.dirname;
const ROOT = join(HERE, '../../..');
const DIST = join(ROOT, 'dist');
const ENTRY = join(HERE, 'module.ts');
/** The library for the rarer regular expressions is loaded when one needs it. */
const LATE_FILE = 'regex.js';
const LATE = join(ROOT, 'src/model/late-re2.ts');

/** What only a server has is left out. */
const ONE_PROCESS = join(HERE, 'one-process.ts');
const OF_SERVERS =
  /\/(analysis|remote-rows|split-rows|team-part|merge-groups|distribute|split-by-series)\.ts$/;

rmSync(DIST, { recursive: true, force: true });
await bundle();
declare();
for (const name of ['promql.js', LATE_FILE]) {
  checkStandsAlone(name, readFileSync(join(DIST, name), 'utf8'));
  console.log(`dist/${name}: ${statSync(join(DIST, name)).size} bytes`);
}

async function bundle(): Promise<void> {
  await build({
    root: ROOT,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    plugins: [
      {
        name: 'late-re2',
        enforce: 'pre',
        resolveId: (source, importer) => (source === 're2js' && importer !== LATE ? LATE : undefined),
      },
      {
        name: 'one-process',
        enforce: 'pre',
        resolveId: (source) => (OF_SERVERS.test(source) ? ONE_PROCESS : undefined),
      },
    ],
    build: {
      outDir: DIST,
      emptyOutDir: false,
      minify: false,
      target: 'es2022',
      lib: { entry: ENTRY, formats: ['es'], fileName: 'promql' },
      rolldownOptions: { output: { chunkFileNames: LATE_FILE } },
    },
  });
}

function declare(): void {
  const compiler = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin/tsc');
  const options =
    '--declaration --emitDeclarationOnly --noEmit false --rewriteRelativeImportExtensions --stripInternal'.split(
      ' ',
    );
  const inherited =
    '--target es2024 --lib es2024,esnext.disposable,esnext.typedarrays,dom --types node --module nodenext --moduleResolution nodenext --allowImportingTsExtensions --erasableSyntaxOnly --verbatimModuleSyntax --strict --skipLibCheck'.split(
      ' ',
    );
  const places = ['--rootDir', join(ROOT, 'src'), '--outDir', join(DIST, 'types')];
  execFileSync(process.execPath, [compiler, '--ignoreConfig', ...inherited, ...options, ...places, ENTRY], {
    stdio: 'inherit',
  });
}

/** Nothing of Node may be in it, nor an import. */
function checkStandsAlone(name: string, code: string): void {
  const plain = code
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(`import("./${LATE_FILE}")`, '');
  const found = /\bfrom\s*["'][^"']+["']|\bimport\s*["'(]|\bBuffer\s*[.(]|\bprocess\.|\brequire\(/.exec(
    plain,
  );
  if (found !== null) throw new Error(`dist/${name} is not to contain ${JSON.stringify(found[0])}`);
}
