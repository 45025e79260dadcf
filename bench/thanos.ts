import { parseArgs } from 'node:util';
import { measureStreams } from './thanos/stream.ts';

/** `npm run bench:thanos`: the pulling side, part by part. */
const PARTS: Readonly<Record<string, () => Promise<string>>> = { stream: measureStreams };
const { values: flags } = parseArgs({
  options: { only: { type: 'string', default: Object.keys(PARTS).join() } },
});

for (const name of flags.only.split(',')) console.log(`${name}\n\n${await PARTS[name]()}\n`);
