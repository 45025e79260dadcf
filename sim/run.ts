import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';

/** `node sim/run.ts --seeds 200 --from 1`: runs seeds one after the other and tells of each that fails; `--trace` prints all lines. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    lines: { type: 'string', default: '40' },
    trace: { type: 'boolean', default: false },
  },
});
const LINE_LENGTH_MAX = 400;
const from = Number(values.from);
const count = Number(values.seeds);
const totals = { failed: 0, acknowledged: 0, lives: 0, complete: 0, partial: 0 };
let current = from;
process.on('unhandledRejection', (error) => {
  console.error(`seed ${current}: a promise that nobody waits for was rejected`, error);
  process.exitCode = 1;
});

const startedAt = performance.now();
process.once('SIGTERM', () => {
  report();
  process.exit();
});
for (current = from; current < from + count; current++) {
  const result = await simulate(current, values.trace);
  totals.acknowledged += result.acknowledged;
  totals.lives += result.lives;
  totals.complete += result.completeAnswers;
  totals.partial += result.partialAnswers;
  if (values.trace) console.log(result.lines.join('\n'));
  if (result.failures.length === 0) continue;
  totals.failed++;
  process.exitCode = 1;
  console.log(`seed ${current} failed at step ${result.step}: ${JSON.stringify(result.plan)}`);
  const tail = values.trace ? [] : result.lines.slice(-Number(values.lines));
  for (const line of tail) console.log(`  | ${line.slice(0, LINE_LENGTH_MAX)}`);
  for (const failure of result.failures) console.log(`  ✗ ${failure}`);
}
report();

function report(): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `${current - from} seeds in ${seconds} s: ${totals.failed} failed; ${totals.acknowledged} samples acknowledged, ` +
      `${totals.lives} lives, ${totals.complete} complete and ${totals.partial} partial answers`,
  );
}
