import { parseArgs } from 'node:util';
import { compareWithPeer, type PeerName } from './comparison.ts';

/**
 * `npm run test:differential -- --seed 1 --queries 10000 --peer prometheus`: prints progress and every difference, small,
 * and ends with counts. Exit code 1 when there was a difference.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    queries: { type: 'string', default: '2000' },
    peer: { type: 'string', default: 'prometheus' },
  },
});
if (values.peer !== 'prometheus' && values.peer !== 'reference') {
  console.error(`--peer is prometheus or reference, not ${values.peer}`);
  process.exit(2);
}
const counts = await compareWithPeer({
  seed: Number(values.seed),
  queries: Number(values.queries),
  peer: values.peer satisfies PeerName,
  queriesPerData: values.peer === 'prometheus' ? 2000 : 50,
  concurrency: values.peer === 'prometheus' ? 8 : 1,
  progress: ({ same, known, different }) => {
    console.log(`${same + known + different} queries, ${different} differences`);
  },
  failure: (text) => console.log(`DIFFERENT ${text}\n`),
});
const { same, empty, errors, known, different } = counts;
console.log(
  `seed ${values.seed} against ${values.peer}: ${same} the same (${empty} without series, ${errors} errors), ` +
    `${known} known differences, ${different} different`,
);
process.exit(different === 0 ? 0 : 1);
