import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openBucket } from '../../src/objstore/open-bucket.ts';
import { SystemClock } from '../../src/platform/clock.ts';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { SystemRandom } from '../../src/platform/random.ts';
import { History } from './history.ts';
import { Soak } from './soak.ts';

test('days of blocks is answered as it was while the compactor works and is killed, and nothing is left over', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'verona-soak-'));
  try {
    const directory = join(dir, 'bucket');
    const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
    const config = { directory };
    const result = await new Soak({
      history: new History(['one'], 5, Date.now()),
      bucketFlags: [`--objstore.config={"type":"FILESYSTEM","config":{"directory":"${directory}"}}`],
      bucket: await openBucket({ type: 'FILESYSTEM', config, prefix: undefined }, machine),
      dir,
      seed: 1,
      rawDays: 3,
      fiveMinutesDays: 4,
      killEveryMs: 2_000,
      killWaitMs: 30_000,
      deletionDelaySeconds: 12,
      log: () => {},
    }).run();
    expect(result).toMatchObject({ differences: [], garbage: [] });
    expect(result.kills.compact + result.kills.downsample).toBeGreaterThan(0);
    expect(result.answers).toBeGreaterThan(15);
    expect(result.blocksLeft).toBeLessThan(result.blocks / 2);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 180_000);
