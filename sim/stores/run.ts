import { parseArgs } from 'node:util';
import { simulateStores } from './simulate-stores.ts';

/** `node sim/stores/run.ts --seeds 1000 --from 1`: runs seeds one after the other and tells of each that fails. */
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '1000' }, from: { type: 'string', default: '1' } },
});
const outcomes = new Map<string, number>();
const from = Number(values.from);
let current = from;
process.on('unhandledRejection', (error) => {
  console.error(`seed ${current}: a promise that nobody waits for was rejected`, error);
  process.exitCode = 1;
});
const begin = performance.now();
for (; current < from + Number(values.seeds); current++) {
  const { failures, story, outcome } = await simulateStores(current);
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  if (failures.length === 0) continue;
  process.exitCode = 1;
  console.log(`seed ${current}: ${story}`);
  for (const failure of failures) console.log(`  ✗ ${failure}`);
}
const counts = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
console.log(`${current - from} seeds in ${((performance.now() - begin) / 1000).toFixed(1)} s: ${counts}`);
