import { createRequire } from 'node:module';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acceptBucket, CALM, collect } from '../src/objstore/acceptance.ts';
import type { AzureOptions } from '../src/objstore/azure-options.ts';
import type { Bucket } from '../src/objstore/bucket.ts';
import { openBucket } from '../src/objstore/open-bucket.ts';
import { SystemClock } from '../src/platform/clock.ts';
import { NodeDisk } from '../src/platform/node-disk.ts';
import { SystemRandom } from '../src/platform/random.ts';
import { freePort, RealProcess } from './process.ts';

const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
/** Microsoft's well-known account of its emulator. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
let server: RealProcess;
let endpoint: string;
let containers = 0;

beforeAll(async () => {
  const port = await freePort();
  const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js');
  const args = [
    program,
    '--inMemoryPersistence',
    '--skipApiVersionCheck',
    '--disableTelemetry',
    '--blobPort',
    String(port),
  ];
  server = new RealProcess('azurite', process.execPath, args);
  endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`;
  for (let i = 0; !server.output.includes('successfully listens'); i++) {
    if (server.exited || i > 1200) throw new Error(`azurite does not start:\n${server.output}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

afterAll(async () => {
  await server?.stop('SIGTERM', 5_000);
});

function open(more: Partial<AzureOptions> = {}, prefix?: string): Promise<Bucket> {
  const config: AzureOptions = {
    storage_account: ACCOUNT,
    storage_account_key: KEY,
    container: `verona-${++containers}`,
    endpoint,
    max_retries: 1,
    ...more,
  };
  return openBucket({ type: 'AZURE', config, prefix }, machine);
}

acceptBucket('AzureBucket on Azurite', () => open());
acceptBucket('AzureBucket below a prefix on Azurite', () => open({}, 'a/prefix'));

test('a listing goes on beyond one page', async () => {
  const bucket = await open();
  const keys = Array.from({ length: 1205 }, (_, i) => `t/${String(i).padStart(5, '0')}`);
  for (let i = 0; i < keys.length; i += 100)
    await Promise.all(keys.slice(i, i + 100).map((key) => bucket.upload(CALM, key, new Uint8Array(1))));
  expect((await collect(bucket.list(CALM, 't/', { recursive: true }))).map(({ key }) => key)).toEqual(keys);
  expect(await collect(bucket.list(CALM, ''))).toEqual([{ kind: 'folder', key: 't/' }]);
  await bucket.close();
});

test('a connection string opens the same account', async () => {
  const url = endpoint.replace(`/${ACCOUNT}`, '');
  const connection = `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${url}/${ACCOUNT};`;
  const bucket = await open({ storage_account_key: undefined, storage_connection_string: connection });
  await bucket.upload(CALM, 'a', Buffer.from('x'));
  expect(Buffer.from(await bucket.get(CALM, 'a')).toString()).toBe('x');
  await bucket.close();
});

test('a wrong key and a missing container are no missing object, and no secret is told', async () => {
  const wrong = await open({ storage_account_key: Buffer.from('not the key').toString('base64') });
  const refused = await wrong.get(CALM, 'a').catch((error: Error) => error);
  expect(refused).toMatchObject({ code: 'internal' });
  expect(String(refused)).not.toContain(Buffer.from('not the key').toString('base64'));
  const missing = await open({ storage_create_container: false });
  await expect(missing.get(CALM, 'a')).rejects.toMatchObject({ code: 'internal' });
});
