import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { freePort, RealProcess } from './process.ts';
import { program } from './programs.ts';

/** The configuration reloader of the sidecar beside a real Prometheus. */
const ROOT = join(import.meta.dirname, '..');
mkdirSync(join(ROOT, '.cache'), { recursive: true });
const folder = mkdtempSync(join(ROOT, '.cache/e2e-'));
const started: RealProcess[] = [];

afterAll(async () => {
  await Promise.all(started.map((process) => process.stop('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

/** Under a name of its own, so that a signal by name finds no other. */
async function startPrometheus(executable: string, dir: string, port: number, flags: readonly string[]) {
  const prometheus = new RealProcess(executable, join(folder, executable), [
    `--config.file=${dir}/prometheus.yml`,
    `--storage.tsdb.path=${dir}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    ...flags,
  ]);
  started.push(prometheus);
  await prometheus.ready(`http://127.0.0.1:${port}/-/ready`);
}

async function startSidecar(url: string, flags: readonly string[]) {
  const port = await freePort();
  const sidecar = new RealProcess(
    'sidecar',
    process.execPath,
    [
      join(ROOT, 'bin/verona.js'),
      'sidecar',
      `--prometheus.url=${url}`,
      '--sidecar.check-interval=200ms',
      `--http-address=127.0.0.1:${port}`,
      `--grpc-address=127.0.0.1:${await freePort()}`,
      '--reloader.retry-interval=500ms',
      ...flags,
    ],
    { REPLICA: 'a' },
  );
  started.push(sidecar);
  await sidecar.ready(`http://127.0.0.1:${port}/-/healthy`);
  return { sidecar, http: `http://127.0.0.1:${port}` };
}

const config = (replica: string, rules = '') =>
  `global: {external_labels: {replica: ${replica}}}\nrule_files: ['${rules}']\n`;

async function get<T>(url: string, path: string): Promise<T> {
  const response = await fetch(url + path);
  return ((await response.json()) as { data: T }).data;
}

async function replicaOf(url: string): Promise<string | undefined> {
  const { yaml } = await get<{ yaml: string }>(url, '/api/v1/status/config');
  return /replica: (\S+)/.exec(yaml)?.[1];
}

async function metric(http: string, name: string): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

test.each([
  ['http', ['--web.enable-lifecycle']],
  ['signal', []],
])(
  'by %s a real Prometheus gets the expanded configuration and new rules, and a bad one is told of',
  async (method, flags) => {
    const executable = `prometheus-${method}`;
    copyFileSync(await program('prometheus'), join(folder, executable));
    const dir = join(folder, method);
    const rules = join(dir, 'rules');
    mkdirSync(rules, { recursive: true });
    const template = join(dir, 'template.yml');
    const glob = `${rules}/*.yml`;
    writeFileSync(template, gzipSync(config('$(REPLICA)-1', glob)));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const { sidecar, http } = await startSidecar(url, [
      `--reloader.config-file=${template}`,
      `--reloader.config-envsubst-file=${dir}/prometheus.yml`,
      `--reloader.rule-dir=${rules}`,
      `--reloader.method=${method}`,
      `--reloader.process-name=${executable}`,
    ]);
    // It reads what the sidecar wrote.
    await startPrometheus(executable, dir, port, flags);
    expect(await replicaOf(url)).toBe('a-1');
    await expect.poll(() => metric(http, 'reloader_last_reload_successful'), { timeout: 20_000 }).toBe(1);

    writeFileSync(template, config('$(REPLICA)-2', glob));
    await expect.poll(() => replicaOf(url), { timeout: 20_000 }).toBe('a-2');
    await expect.poll(() => sidecar.output, { timeout: 10_000 }).toMatch(/Prometheus answers.*a-2/);

    writeFileSync(join(rules, 'a.yml'), 'groups: [{name: g, rules: [{record: one, expr: vector(1)}]}]\n');
    const groups = async () =>
      (await get<{ groups: { name: string }[] }>(url, '/api/v1/rules')).groups.map(({ name }) => name);
    await expect.poll(groups, { timeout: 20_000 }).toEqual(['g']);

    writeFileSync(join(rules, 'a.yml'), 'groups: [{name: g, rules: [{record: one, expr: "vector("}]}]\n');
    await expect.poll(() => metric(http, 'reloader_last_reload_successful'), { timeout: 20_000 }).toBe(0);
    expect(sidecar.output).toContain('could not be reloaded');
    writeFileSync(join(rules, 'a.yml'), 'groups: [{name: h, rules: [{record: one, expr: vector(1)}]}]\n');
    await expect.poll(groups, { timeout: 20_000 }).toEqual(['h']);
    await expect.poll(() => metric(http, 'reloader_last_reload_successful'), { timeout: 20_000 }).toBe(1);

    writeFileSync(template, config('$(NOWHERE)', glob));
    await expect.poll(() => sidecar.output, { timeout: 10_000 }).toContain('no variable NOWHERE');
    expect(await replicaOf(url)).toBe('a-2');
  },
  120_000,
);

test('a Prometheus that lets nobody reload it is told of with the flag that it lacks', async () => {
  const executable = 'prometheus-closed';
  copyFileSync(await program('prometheus'), join(folder, executable));
  const dir = join(folder, 'closed');
  mkdirSync(dir);
  writeFileSync(join(dir, 'prometheus.yml'), config('x'));
  const port = await freePort();
  await startPrometheus(executable, dir, port, []);
  const { sidecar } = await startSidecar(`http://127.0.0.1:${port}`, [
    `--reloader.config-file=${dir}/prometheus.yml`,
  ]);
  await expect.poll(() => sidecar.output, { timeout: 10_000 }).toContain('--web.enable-lifecycle');
}, 60_000);
