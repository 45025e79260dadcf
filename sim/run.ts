import { parseArgs } from 'node:util';
import { simulateHall } from './hall/simulation.ts';
import { simulate } from './simulation.ts';

/**
 * `node sim/run.ts --seeds 200 --from 1`: runs seeds one after the other and tells of each that fails; `--history hall` runs
 * histories of the bucket with its compactors instead of those of the whole process; `--trace` prints all lines.
 */
const { values } = parseArgs({
  options: {
    history: { type: 'string', default: 'process' },
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    lines: { type: 'string', default: '40' },
    trace: { type: 'boolean', default: false },
  },
});

interface Outcome {
  readonly plan: object;
  readonly failures: readonly string[];
  readonly step: number;
  readonly lines: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const HISTORIES: Readonly<Record<string, (seed: number) => Promise<Outcome>>> = {
  process: async (seed) => {
    const result = await simulate(seed, values.trace);
    const { acknowledged, lives, completeAnswers, partialAnswers } = result;
    return { ...result, counts: { acknowledged, lives, completeAnswers, partialAnswers } };
  },
  hall: async (seed) => {
    const result = await simulateHall(seed, values.trace);
    return { ...result, counts: { ...result.counts } };
  },
};

const LINE_LENGTH_MAX = 400;
const run = HISTORIES[values.history];
if (!run) throw new Error(`--history is one of ${Object.keys(HISTORIES).join(', ')}`);
const from = Number(values.from);
const count = Number(values.seeds);
const totals = new Map<string, number>();
let failed = 0;
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
  const result = await run(current);
  for (const [name, number] of Object.entries(result.counts))
    totals.set(name, (totals.get(name) ?? 0) + number);
  if (values.trace) console.log(result.lines.join('\n'));
  if (result.failures.length === 0) continue;
  failed++;
  process.exitCode = 1;
  console.log(`seed ${current} failed at step ${result.step}: ${JSON.stringify(result.plan)}`);
  const tail = values.trace ? [] : result.lines.slice(-Number(values.lines));
  for (const line of tail) console.log(`  | ${line.slice(0, LINE_LENGTH_MAX)}`);
  for (const failure of result.failures) console.log(`  ✗ ${failure}`);
}
report();

function report(): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const counted = [...totals].map(([name, number]) => `${number} ${name}`).join(', ');
  console.log(`${current - from} seeds in ${seconds} s: ${failed} failed; ${counted}`);
}
