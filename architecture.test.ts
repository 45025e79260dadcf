import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = import.meta.dirname;

/** Rooms in the order of ARCHITECTURE.md, each with the rooms above it that it may import. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  platform: [],
  model: ['platform'],
  encoding: ['platform', 'model'],
  kernel: ['platform', 'model', 'encoding'],
  proto: ['platform', 'model', 'encoding', 'kernel'],
  chunkenc: ['platform', 'model', 'encoding', 'kernel', 'storage'],
  storage: ['platform', 'model', 'encoding', 'kernel', 'chunkenc'],
  objstore: ['platform', 'model'],
  tsdb: ['platform', 'model', 'encoding', 'kernel', 'proto', 'chunkenc', 'storage'],
  promql: ['platform', 'model', 'encoding', 'kernel', 'chunkenc', 'storage'],
  tenancy: ['platform', 'model'],
  cluster: ['platform'],
  blocks: ['platform', 'model', 'objstore', 'tsdb'],
  'store-gateway': [
    'platform',
    'model',
    'encoding',
    'kernel',
    'chunkenc',
    'storage',
    'objstore',
    'tsdb',
    'cluster',
    'blocks',
  ],
  storeapi: ['platform', 'model', 'encoding', 'proto', 'chunkenc', 'storage'],
  compactor: [
    'platform',
    'model',
    'encoding',
    'kernel',
    'chunkenc',
    'storage',
    'objstore',
    'tsdb',
    'tenancy',
    'cluster',
    'blocks',
  ],
  push: [
    'platform',
    'model',
    'encoding',
    'kernel',
    'proto',
    'storage',
    'objstore',
    'tsdb',
    'tenancy',
    'blocks',
  ],
  query: [
    'platform',
    'model',
    'encoding',
    'kernel',
    'proto',
    'chunkenc',
    'storage',
    'promql',
    'tenancy',
    'storeapi',
  ],
  config: ['platform', 'model', 'objstore', 'tenancy'],
  pull: [
    'platform',
    'model',
    'encoding',
    'kernel',
    'proto',
    'chunkenc',
    'storage',
    'objstore',
    'blocks',
    'storeapi',
    'config',
  ],
  rules: ['platform', 'model', 'storage', 'promql', 'config'],
  server: ['platform', 'model', 'tenancy'],
  cmd: ['*'],
};

/** Packages that may enter through one room only, and packages every test may use. */
const TEST_PACKAGES = new Set(['vitest', 'fast-check']);

const files = listFiles(join(ROOT, 'src')).filter((path) => path.endsWith('.ts'));
const sources = files.filter(
  (path) => !isTest(path) && !path.includes('/assembly/') && !path.includes('/gen/'),
);
const imports = new Map(sources.map((path) => [path, importsOf(path)]));

test('every import between rooms follows an arrow of the table', () => {
  const wrong: string[] = [];
  for (const [path, targets] of imports)
    for (const target of targets.filter((name) => name.startsWith('.'))) {
      const from = roomOf(path);
      const to = roomOf(resolve(dirname(path), target));
      if (from !== to && !ARROWS[from]?.includes(to) && !ARROWS[from]?.includes('*'))
        wrong.push(`${relative(ROOT, path)} imports ${to}`);
    }
  expect(wrong).toEqual([]);
});

test('imports are relative, end in .ts and form no cycle', () => {
  const graph = new Map<string, string[]>();
  for (const [path, targets] of imports) {
    const local = targets.filter((name) => name.startsWith('.'));
    expect(
      local.filter((name) => !name.endsWith('.ts') && !name.endsWith('/package.json')),
      relative(ROOT, path),
    ).toEqual([]);
    graph.set(
      path,
      valueImportsOf(path).map((name) => resolve(dirname(path), name)),
    );
  }
  expect(findCycle(graph)?.map((path) => relative(ROOT, path))).toBeUndefined();
});

test('every file is imported by another one, put in its place by a build, or is where something starts', () => {
  const used = new Set<string>();
  for (const path of [
    ...listFiles(join(ROOT, 'src')),
    ...['sim', 'bench', 'e2e'].flatMap((room) => listFiles(join(ROOT, room))),
  ])
    if (path.endsWith('.ts')) for (const name of importsOf(path)) used.add(resolve(dirname(path), name));
  const started =
    /\/(cmd\/main|kernel\/build|promql\/module\/(build|one-process)|promqltest\/run|[a-z-]+\.bench|[a-z-]+-thread)\.ts$/;
  const orphans = sources.filter((path) => !used.has(path) && !started.test(path));
  expect(orphans.map((path) => relative(ROOT, path))).toEqual([]);
});

test('the reference evaluator of PromQL serves tests only and shares no evaluation with the engine', () => {
  const reference = join(ROOT, 'src/promql/reference/');
  const comparison = join(ROOT, 'src/promql/differential/');
  const shared =
    /promql\/(parser|promqltest|annotations\.ts|functions\/(xxhash64|natural-order|parse-float)\.ts)/;
  const wrong: string[] = [];
  for (const [path, targets] of imports)
    for (const target of targets.filter((name) => name.startsWith('.'))) {
      const to = resolve(dirname(path), target);
      const leaves = path.startsWith(reference) && !to.startsWith(reference);
      const isForTests = path.startsWith(reference) || path.startsWith(comparison);
      const enters = !isForTests && (to.startsWith(reference) || to.startsWith(comparison));
      if (enters || (leaves && roomOf(to) === 'promql' && !shared.test(to)))
        wrong.push(`${relative(ROOT, path)} imports ${relative(ROOT, to)}`);
    }
  expect(wrong).toEqual([]);
});

test('every room says in a README what it is', () => {
  const rooms = readdirSync(join(ROOT, 'src'));
  expect(
    rooms.filter((room) => !Object.keys(ARROWS).includes(room)),
    'rooms missing in the table',
  ).toEqual([]);
  const silent = rooms.filter((room) => !readdirSync(join(ROOT, 'src', room)).includes('README.md'));
  expect(silent).toEqual([]);
});

test('a package enters the house through one room', () => {
  const doors = new Map<string, Set<string>>();
  for (const [path, targets] of imports)
    for (const name of targets.filter((name) => !name.startsWith('.') && !name.startsWith('node:')))
      doors.set(packageOf(name), (doors.get(packageOf(name)) ?? new Set()).add(roomOf(path)));
  const wide = [...doors].filter(([name, rooms]) => rooms.size > 1 && !TEST_PACKAGES.has(name));
  expect(wide.map(([name, rooms]) => `${name}: ${[...rooms].join(', ')}`)).toEqual([]);
});

test('clock, chance, disk and network are touched in platform only', () => {
  const outside =
    /\b(Date\.now\(|new Date\(\)|Math\.random\(|performance\.now\(|setTimeout\(|setInterval\()|from 'node:(fs|net|http|https|os|worker_threads)/;
  const allowed =
    /src\/(platform|server|cmd)\/|\.bench\.ts$|(kernel|promql\/module)\/build\.ts$|promqltest\/run\.ts$/;
  const wrong = sources.filter(
    (path) => !allowed.test(path) && outside.test(withoutComments(readFileSync(path, 'utf8'))),
  );
  expect(wrong.map((path) => relative(ROOT, path))).toEqual([]);
});

function isTest(path: string): boolean {
  return /\.(test|fuzz)\.ts$/.test(path) || path.includes('/testdata/') || /acceptance\.ts$/.test(path);
}

function roomOf(path: string): string {
  return relative(join(ROOT, 'src'), path).split('/')[0];
}

function packageOf(name: string): string {
  const parts = name.split('/');
  return name.startsWith('@') ? `${parts[0]}/${parts[1]}` : parts[0];
}

function importsOf(path: string): string[] {
  const text = withoutComments(readFileSync(path, 'utf8'));
  const found = [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map((match) => match[1]);
  return [...found, ...[...text.matchAll(/new URL\('(\.[^']+\.ts)'/g)].map((match) => match[1])];
}

function valueImportsOf(path: string): string[] {
  const text = withoutComments(readFileSync(path, 'utf8'));
  return [...text.matchAll(/^(?:import|export) (?!type )[^;]*?from '(\.[^']+)'/gms)].map((match) => match[1]);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const walk = (node: string, path: string[]): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of graph.get(node) ?? []) {
      const cycle = walk(next, [...path, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = walk(node, []);
    if (cycle) return cycle;
  }
  return undefined;
}

function listFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? listFiles(path) : [path];
  });
}
