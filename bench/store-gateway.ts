import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureCold } from './store-gateway/cold.ts';
import { measureCrowd } from './store-gateway/crowd.ts';
import { measureMany } from './store-gateway/many.ts';
import { measureMonth } from './store-gateway/month.ts';
import { measureWarm } from './store-gateway/warm.ts';

/** `npm run bench:store-gateway`: reading from blocks in a bucket, part by part; `-- --only=cold` for one. */
const cacheDir = join(import.meta.dirname, '../.cache/store-gateway');
const PARTS: Readonly<Record<string, () => Promise<string>>> = {
  cold: () => measureCold(cacheDir, Number(flags.metrics)),
  warm: () => measureWarm(cacheDir, Number(flags.metrics)),
  many: () => measureMany(cacheDir, Number(flags.blocks)),
  crowd: () => measureCrowd(cacheDir),
  month: () => measureMonth(cacheDir),
};
const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(PARTS).join() },
    blocks: { type: 'string', default: '5000' },
    metrics: { type: 'string', default: '1000' },
  },
});

await mkdir(cacheDir, { recursive: true });
for (const name of flags.only.split(',')) console.log(`${name}\n\n${await PARTS[name]()}\n`);
