import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unpackDebian, withDependencies } from './debian.ts';
import { freePort, RealProcess } from './process.ts';

/** A running S3 server of its own, empty at first. */
export interface Radosgw {
  /** `http://127.0.0.1:…`; the bucket's name goes into the path. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const FSID = '0d9a5f0e-6f5c-4c8e-9d59-6f1f6b6e7a01';
const OSD = '5a1e0c8b-3f0b-4a53-8a77-2d4a2f8f9b02';
const ACCESS_KEY = 'VERONATESTACCESS';
const SECRET_KEY = 'verona-test-secret-key';
const STEP_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 120_000;
const MEMORY_BYTES = 2 * 1024 ** 3;

/**
 * Ceph's gateway with the smallest cluster behind it: one monitor and one object store in memory, on free loopback
 * ports, from Debian's packages, without root and without installing anything. Takes some ten seconds to start.
 */
export async function startRadosgw(): Promise<Radosgw> {
  const packages = ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph-common'];
  const root = await unpackDebian('radosgw', await withDependencies(packages));
  const dir = await mkdtemp(join(tmpdir(), 'radosgw-'));
  const processes: RealProcess[] = [];
  const stop = async () => {
    for (const process of processes.reverse()) await process.stop('SIGTERM', 5_000);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const endpoint = await startCluster(root, dir, processes);
    return { endpoint, accessKey: ACCESS_KEY, secretKey: SECRET_KEY, stop };
  } catch (cause) {
    const output = processes.map(({ name, output }) => `--- ${name}\n${output.slice(-2000)}`).join('\n');
    await stop();
    throw new Error(`cannot start Ceph's gateway: ${(cause as Error).message}\n${output}`, { cause });
  }
}

async function startCluster(root: string, dir: string, processes: RealProcess[]): Promise<string> {
  const [monV2, monV1, http] = [await freePort(), await freePort(), await freePort()];
  const monitors = `[v2:127.0.0.1:${monV2},v1:127.0.0.1:${monV1}]`;
  const conf = join(dir, 'ceph.conf');
  const environment = environmentOf(root, conf);
  const bin = (name: string) => join(root, 'usr/bin', name);
  const step = (name: string, args: readonly string[]) =>
    run(bin(name), [...args], { env: environment, timeout: STEP_TIMEOUT_MS });
  const start = (name: string, args: readonly string[]) => {
    const process = new RealProcess(name, bin(name), ['-c', conf, ...args, '-f'], environment);
    processes.push(process);
    return process;
  };
  const ceph = (args: readonly string[]) =>
    run('python3', [bin('ceph'), '-c', conf, '--connect-timeout', '30', ...args], {
      env: environment,
      timeout: STEP_TIMEOUT_MS,
    });

  for (const part of ['mon', 'osd', 'rgw']) await mkdir(join(dir, part));
  await writeFile(conf, configuration(root, dir, monitors, http));
  await step('monmaptool', ['--create', '--fsid', FSID, '--addv', 'a', monitors, join(dir, 'monmap')]);
  await step('ceph-mon', ['-c', conf, '--mkfs', '-i', 'a', '--monmap', join(dir, 'monmap')]);
  start('ceph-mon', ['-i', 'a']);
  await step('ceph-osd', ['-c', conf, '-i', '0', '--mkfs', '--osd-uuid', OSD]);
  await ceph(['osd', 'new', OSD]);
  start('ceph-osd', ['-i', '0']);
  const gateway = start('radosgw', ['-n', 'client.admin']);
  const endpoint = `http://127.0.0.1:${http}`;
  await gateway.ready(endpoint, READY_TIMEOUT_MS);
  const user = ['user', 'create', '--uid=verona', '--display-name=verona'];
  await step('radosgw-admin', [
    '-c',
    conf,
    ...user,
    `--access-key=${ACCESS_KEY}`,
    `--secret-key=${SECRET_KEY}`,
  ]);
  return endpoint;
}

function environmentOf(root: string, conf: string): NodeJS.ProcessEnv {
  const lib = join(root, 'usr/lib/x86_64-linux-gnu');
  return {
    ...process.env,
    LD_LIBRARY_PATH: [
      lib,
      join(root, 'lib/x86_64-linux-gnu'),
      join(lib, 'ceph'),
      join(root, 'usr/lib/ceph'),
    ].join(':'),
    PATH: `${join(root, 'usr/bin')}:${process.env.PATH}`,
    PYTHONPATH: join(root, 'usr/lib/python3/dist-packages'),
    CEPH_CONF: conf,
  };
}

function configuration(root: string, dir: string, monitors: string, http: number): string {
  const lib = join(root, 'usr/lib/x86_64-linux-gnu');
  const modes = ['ms mon client', 'ms cluster', 'ms service', 'ms client'].map((who) => `${who} mode = crc`);
  const auth = ['cluster', 'service', 'client'].map((who) => `auth ${who} required = none`);
  return `[global]
fsid = ${FSID}
mon host = ${monitors}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
${auth.join('\n')}
${modes.join('\n')}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon max pg per osd = 2000
mon allow pool size one = true
mon warn on pool no redundancy = false
run dir = ${dir}
log file = ${dir}/$name.log
admin socket = ${dir}/$name.asok
plugin dir = ${lib}/ceph
osd class dir = ${lib}/rados-classes
erasure code dir = ${lib}/ceph/erasure-code
[mon.a]
mon data = ${dir}/mon
[osd.0]
osd data = ${dir}/osd
osd objectstore = memstore
memstore device bytes = ${MEMORY_BYTES}
osd class load list = *
osd class default list = *
[client.admin]
rgw data = ${dir}/rgw
rgw frontends = beast endpoint=127.0.0.1:${http}
rgw enable apis = s3
rgw crypt require ssl = false
`;
}
