import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Certificates } from './certificates.ts';
import { unpackDebian, withDependencies } from './debian.ts';
import { freePort, RealProcess } from './process.ts';

/** A running S3 server of its own, empty at first. */
export interface Radosgw {
  /** `http://127.0.0.1:…`; the bucket's name goes into the path. */
  readonly endpoint: string;
  /** `https://s3.localhost:…`, of a certificate that `caFile` signed; the bucket's name may stand before the host. */
  readonly tlsEndpoint: string;
  readonly caFile: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** A key that the gateway knows for SSE-KMS. */
  readonly kmsKeyId: string;
  /** Credentials for an hour that may do everything with the buckets; once. */
  temporaryCredentials(): Promise<TemporaryCredentials>;
  stop(): Promise<void>;
}

export interface TemporaryCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken: string;
}

const run = promisify(execFile);
const FSID = '0d9a5f0e-6f5c-4c8e-9d59-6f1f6b6e7a01';
const OSD = '5a1e0c8b-3f0b-4a53-8a77-2d4a2f8f9b02';
const ACCESS_KEY = 'VERONATESTACCESS';
const SECRET_KEY = 'verona-test-secret-key';
const USER = 'verona';
const ROLE = 'writer';
const HOST = 's3.localhost';
const KMS_KEY_ID = 'verona-test-key';
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
    const certificates = await Certificates.in(dir);
    await certificates.authority('ca');
    await certificates.issue('server', 'ca', [HOST, `*.${HOST}`]);
    const { endpoint, tlsEndpoint, admin } = await startCluster(root, dir, processes);
    return {
      endpoint,
      tlsEndpoint,
      caFile: join(dir, 'ca.crt'),
      accessKey: ACCESS_KEY,
      secretKey: SECRET_KEY,
      kmsKeyId: KMS_KEY_ID,
      temporaryCredentials: async () => {
        await createRole(admin);
        return assumeRole(certificates, endpoint);
      },
      stop,
    };
  } catch (cause) {
    const output = processes.map(({ name, output }) => `--- ${name}\n${output.slice(-2000)}`).join('\n');
    await stop();
    throw new Error(`cannot start Ceph's gateway: ${(cause as Error).message}\n${output}`, { cause });
  }
}

async function startCluster(root: string, dir: string, processes: RealProcess[]) {
  const [monV2, monV1, http, https] = await Promise.all([1, 2, 3, 4].map(() => freePort()));
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
  await writeFile(conf, configuration(root, dir, monitors, http, https));
  await step('monmaptool', ['--create', '--fsid', FSID, '--addv', 'a', monitors, join(dir, 'monmap')]);
  await step('ceph-mon', ['-c', conf, '--mkfs', '-i', 'a', '--monmap', join(dir, 'monmap')]);
  start('ceph-mon', ['-i', 'a']);
  await step('ceph-osd', ['-c', conf, '-i', '0', '--mkfs', '--osd-uuid', OSD]);
  await ceph(['osd', 'new', OSD]);
  start('ceph-osd', ['-i', '0']);
  const gateway = start('radosgw', ['-n', 'client.admin']);
  const endpoint = `http://127.0.0.1:${http}`;
  await gateway.ready(endpoint, READY_TIMEOUT_MS);
  const admin: Admin = (...args) => step('radosgw-admin', ['-c', conf, ...args]);
  const keys = [`--access-key=${ACCESS_KEY}`, `--secret-key=${SECRET_KEY}`];
  await admin('user', 'create', `--uid=${USER}`, `--display-name=${USER}`, ...keys);
  return { endpoint, tlsEndpoint: `https://${HOST}:${https}`, admin };
}

const TRUST = policy({
  Principal: { AWS: [`arn:aws:iam:::user/${USER}`] },
  Action: ['sts:AssumeRole'],
});
const ALL_BUCKETS = policy({ Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] });

function policy(statement: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
}

type Admin = (...args: readonly string[]) => Promise<unknown>;

/** A role that the user may take. */
async function createRole(admin: Admin): Promise<void> {
  await admin('role', 'create', `--role-name=${ROLE}`, `--assume-role-policy-doc=${TRUST}`);
  await admin(
    'role-policy',
    'put',
    `--role-name=${ROLE}`,
    '--policy-name=all',
    `--policy-doc=${ALL_BUCKETS}`,
  );
}

/** Asks the gateway's STS, with curl, which signs as Amazon wants it. */
async function assumeRole(certificates: Certificates, endpoint: string): Promise<TemporaryCredentials> {
  const form = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: `arn:aws:iam:::role/${ROLE}`,
    RoleSessionName: 'verona',
  });
  const signed = ['--aws-sigv4', 'aws:amz:us-east-1:sts', '--user', `${ACCESS_KEY}:${SECRET_KEY}`];
  const { stdout } = await certificates.run('curl', ['-sS', ...signed, '-d', String(form), `${endpoint}/`]);
  const [accessKey, secretKey, sessionToken] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map(
    (name) => stdout.match(new RegExp(`<${name}>([^<]+)<`))?.[1],
  );
  if (!accessKey || !secretKey || !sessionToken) throw new Error(`no temporary credentials: ${stdout}`);
  return { accessKey, secretKey, sessionToken };
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

function configuration(root: string, dir: string, monitors: string, http: number, https: number): string {
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
rgw frontends = beast endpoint=127.0.0.1:${http} ssl_endpoint=127.0.0.1:${https} ssl_certificate=${dir}/server.crt ssl_private_key=${dir}/server.key
rgw enable apis = s3, sts
rgw dns name = ${HOST}
rgw sts key = 0123456789abcdef
rgw s3 auth use sts = true
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = ${KMS_KEY_ID}=${Buffer.alloc(32, 3).toString('base64')}
`;
}
