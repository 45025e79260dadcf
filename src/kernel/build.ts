import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * Compiles every entry in `assembly/entries/` to `gen/<entry>.ts`, a module that exports the WebAssembly as base64: no
 * file to find at run time, the same in worker threads and bundles. An entry whose sources did not change is left alone.
 */
const HERE = import.meta.dirname;
const ASSEMBLY = join(HERE, 'assembly');
const GEN = join(HERE, 'gen');
const FLAGS = [
  '-O3',
  '--initialMemory',
  '1',
  '--converge',
  '--runtime',
  'stub',
  '--noAssert',
  '--enable',
  'simd',
  '--use',
  'abort=',
];

await build();

async function build(): Promise<void> {
  mkdirSync(GEN, { recursive: true });
  const hash = hashOfSources();
  const entries = readdirSync(join(ASSEMBLY, 'entries')).filter((name) => name.endsWith('.ts'));
  const stale = entries.filter((entry) => !isCurrent(entry, hash));
  for (const entry of stale) await compile(entry, hash);
  removeOrphans(entries);
  console.log(`kernel: ${entries.length} modules, ${stale.length} compiled`);
}

/** Over the flags, the compiler's version, this file and all of `assembly/`: entries share files. */
function hashOfSources(): string {
  const compiler = join(HERE, '../../node_modules/assemblyscript/package.json');
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const path of [import.meta.filename, compiler, ...sources()])
    hash.update(path.slice(HERE.length)).update(readFileSync(path));
  return hash.digest('hex').slice(0, 32);
}

function sources(): string[] {
  return readdirSync(ASSEMBLY, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => join(ASSEMBLY, name));
}

function genPath(entry: string): string {
  return join(GEN, entry);
}

function isCurrent(entry: string, hash: string): boolean {
  try {
    return readFileSync(genPath(entry), 'utf8').startsWith(`// ${hash}\n`);
  } catch {
    return false;
  }
}

/** The compiler is loaded only when there is something to compile. */
async function compile(entry: string, hash: string): Promise<void> {
  const asc = await import('assemblyscript/asc');
  let wasm = new Uint8Array();
  const written = (name: string, contents: Uint8Array | string) => {
    if (name.endsWith('.wasm')) wasm = contents as Uint8Array<ArrayBuffer>;
  };
  const args = [join('entries', entry), '--outFile', 'out.wasm', ...FLAGS];
  const { error, stderr } = await asc.main(args, { writeFile: written, readFile: readSource });
  if (error || wasm.length === 0) throw new Error(`compile ${entry}: ${stderr.toString()}`, { cause: error });
  const text = `// ${hash}\n/** ${basename(entry, '.ts')}.wasm, ${wasm.length} bytes, made by kernel/build.ts. */\nexport const wasmBase64 =\n  '${Buffer.from(wasm).toString('base64')}';\n`;
  writeFileSync(genPath(entry), text);
}

function readSource(name: string): string | null {
  try {
    return readFileSync(join(ASSEMBLY, name), 'utf8');
  } catch {
    return null;
  }
}

function removeOrphans(entries: readonly string[]): void {
  for (const name of readdirSync(GEN)) if (!entries.includes(name)) rmSync(join(GEN, name));
}
