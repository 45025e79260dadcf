import { parseArgs } from 'node:util';
import { measureCancellation, measureFanOut } from './thanos/fan-out.ts';
import { measureSidecar } from './thanos/sidecar.ts';
import { measureStreams } from './thanos/stream.ts';

/** `npm run bench:thanos`: the pulling side, part by part; `-- --only=stream` for one. */
const PARTS: Readonly<Record<string, () => Promise<string>>> = {
  sidecar: measureSidecar,
  stream: measureStreams,
  'fan-out': measureFanOut,
  cancellation: measureCancellation,
};
const { values: flags } = parseArgs({
  options: { only: { type: 'string', default: Object.keys(PARTS).join() } },
});

for (const name of flags.only.split(',')) console.log(`${name}\n\n${await PARTS[name]()}\n`);
