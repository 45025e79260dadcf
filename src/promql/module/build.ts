import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/**
 * Makes `dist/promql.js` and its declarations in `dist/types/` (npm's `prepack`): Node strips types in a checkout only,
 * not in `node_modules`. The file has everything inside, the kernel and the regular expressions too, and imports nothing.
 */
const HERE = import.meta.dirname;
const ROOT = join(HERE, '../../..');
const DIST = join(ROOT, 'dist');
const ENTRY = join(HERE, 'module.ts');

rmSync(DIST, { recursive: true, force: true });
await bundle();
declare();
checkStandsAlone(readFileSync(join(DIST, 'promql.js'), 'utf8'));
console.log(`dist/promql.js: ${statSync(join(DIST, 'promql.js')).size} bytes`);

async function bundle(): Promise<void> {
  await build({
    root: ROOT,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      outDir: DIST,
      emptyOutDir: false,
      minify: false,
      target: 'es2022',
      lib: { entry: ENTRY, formats: ['es'], fileName: 'promql' },
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
function checkStandsAlone(code: string): void {
  const plain = code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const found = /\bfrom\s*["'][^"']+["']|\bimport\s*["'(]|\bBuffer\s*[.(]|\bprocess\.|\brequire\(/.exec(
    plain,
  );
  if (found !== null) throw new Error(`dist/promql.js is not to contain ${JSON.stringify(found[0])}`);
}
