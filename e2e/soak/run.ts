import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { openBucket } from '../../src/objstore/open-bucket.ts';
import { SystemClock } from '../../src/platform/clock.ts';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { SystemRandom } from '../../src/platform/random.ts';
import { startRadosgw } from '../radosgw.ts';
import { History } from './history.ts';
import { Soak } from './soak.ts';

/** `npm run soak -- --days 60 --seed 1`: the whole soak on Ceph's gateway; prints what it found. */
const { values } = parseArgs({
  options: { days: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
});
const days = Number(values.days);
const BUCKET = 'soak';
const begin = Date.now();
const dir = mkdtempSync(join(tmpdir(), 'verona-soak-'));
const gateway = await startRadosgw();
try {
  const client = new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: gateway.accessKey, secretAccessKey: gateway.secretKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  const config = {
    bucket: BUCKET,
    endpoint: gateway.endpoint,
    access_key: gateway.accessKey,
    secret_key: gateway.secretKey,
  };
  const file = join(dir, 'objstore.yml');
  writeFileSync(file, JSON.stringify({ type: 'S3', config }));
  const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
  const bucket = await openBucket({ type: 'S3', config, prefix: undefined }, machine);
  const result = await new Soak({
    history: new History(['one', 'two', 'three'], days, Date.now()),
    bucketFlags: [`--objstore.config-file=${file}`],
    bucket,
    dir,
    seed: Number(values.seed),
    rawDays: Math.ceil(days / 2),
    fiveMinutesDays: Math.ceil((days * 3) / 4),
    killEveryMs: 20_000,
    killWaitMs: 1_800_000,
    deletionDelaySeconds: 30,
    log: (line) => console.log(`${Math.round((Date.now() - begin) / 1000)} s: ${line}`),
  }).run();
  console.log(JSON.stringify(result, undefined, 2));
  const missed = Object.entries(result.kills).filter(([, count]) => count === 0);
  if (missed.length > 0) console.log(`never killed during: ${missed.map(([phase]) => phase).join(', ')}`);
  const isWrong = result.differences.length + result.garbage.length + missed.length > 0;
  if (isWrong || result.blocksLeft > result.blocks / 4) process.exitCode = 1;
} finally {
  await gateway.stop();
  rmSync(dir, { recursive: true, force: true });
}
