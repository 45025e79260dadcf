import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, RealProcess } from './process.ts';
import { program } from './programs.ts';

/** A metrics store under comparison, started on loopback with an empty or given folder. */
export interface Peer {
  readonly name: string;
  readonly process: RealProcess;
  /** Base of the Prometheus API: append `/api/v1/query`. */
  readonly url: string;
  readonly writeUrl: string;
  readonly dir: string;
}

const ROOT = join(import.meta.dirname, '..');

export async function startVerona(
  dir: string,
  flags: readonly string[] = [],
  port?: number,
  role = 'all',
): Promise<Peer> {
  mkdirSync(dir, { recursive: true });
  port ??= await freePort();
  const url = `http://127.0.0.1:${port}`;
  const verona = new RealProcess('verona', process.execPath, [
    // As in package.json's `start`.
    '--single-threaded-gc',
    '--max-semi-space-size=4',
    '--heap-growing-percent=300',
    join(ROOT, 'bin/verona.js'),
    role,
    `--http.listen-address=127.0.0.1:${port}`,
    '--grpc.enabled=false',
    `--data.dir=${dir}`,
    ...flags,
  ]);
  await verona.ready(`${url}/-/ready`, 120_000);
  return { name: 'verona', process: verona, url, writeUrl: `${url}/api/v1/push`, dir };
}

/** Verona as it begins, ready or not. */
export function launchVerona(dir: string, flags: readonly string[], port: number): RealProcess {
  return new RealProcess('verona', process.execPath, [
    join(ROOT, 'src/cmd/main.ts'),
    'all',
    `--http.listen-address=127.0.0.1:${port}`,
    '--grpc.enabled=false',
    `--data.dir=${dir}`,
    ...flags,
  ]);
}

/** Prometheus with the remote-write receiver on; `config` is its YAML. */
export async function startPrometheus(
  dir: string,
  config = 'global: {}\n',
  flags: readonly string[] = [],
  port?: number,
): Promise<Peer> {
  mkdirSync(dir, { recursive: true });
  port ??= await freePort();
  const file = join(dir, 'prometheus.yml');
  writeFileSync(file, config);
  const url = `http://127.0.0.1:${port}`;
  const prometheus = new RealProcess('prometheus', await program('prometheus'), [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    '--web.enable-admin-api',
    '--web.enable-lifecycle',
    '--storage.tsdb.retention.time=10y',
    ...flags,
  ]);
  await prometheus.ready(`${url}/-/ready`, 300_000);
  return { name: 'prometheus', process: prometheus, url, writeUrl: `${url}/api/v1/write`, dir };
}

export async function startVictoriaMetrics(dir: string, flags: readonly string[] = []): Promise<Peer> {
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const victoria = new RealProcess('victoria-metrics', await program('victoria-metrics'), [
    `-storageDataPath=${join(dir, 'data')}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    '-retentionPeriod=100y',
    '-search.latencyOffset=0s',
    '-search.disableCache',
    ...flags,
  ]);
  await victoria.ready(`${url}/health`);
  return { name: 'victoria-metrics', process: victoria, url, writeUrl: `${url}/api/v1/write`, dir };
}
