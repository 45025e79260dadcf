import { parseArgs } from 'node:util';
import { simulateHall } from './hall/simulation.ts';
import { simulate } from './simulation.ts';

const HELP = `Runs histories drawn from seeds, one after the other, and tells of each that breaks a promise.

  node sim/run.ts [options]        or: npm run sim -- [options]

  --history <name>  process: the whole process (default); hall: the bucket with its compactors, ingesters and readers
  --seeds <n>       how many seeds (20)
  --from <n>        the first seed (1)
  --lines <n>       lines of its end that are printed of a history that fails (40)
  --trace           print every line of every history
  --help            this

The same seed gives the same history, line by line. Exit code: 0 when all kept their promises, 1 when one did not, 2 for a wrong
command line. SIGTERM ends it after telling what was run until then.
`;

/** `node sim/run.ts --help`. */
const { values } = (() => {
  try {
    return parseArgs({
      options: {
        history: { type: 'string', default: 'process' },
        seeds: { type: 'string', default: '20' },
        from: { type: 'string', default: '1' },
        lines: { type: 'string', default: '40' },
        trace: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
})();
if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}

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
const run = HISTORIES[values.history] ?? refuse(`--history is one of ${Object.keys(HISTORIES).join(', ')}`);
const from = numberOf('from');
const count = numberOf('seeds');
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

function refuse(problem: string): never {
  process.stderr.write(`${problem}; see --help\n`);
  process.exit(2);
}

function numberOf(name: 'from' | 'seeds'): number {
  return /^\d{1,15}$/.test(values[name]) ? Number(values[name]) : refuse(`--${name} is a whole number`);
}

function report(): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const counted = [...totals].map(([name, number]) => `${number} ${name}`).join(', ');
  console.log(`${current - from} seeds in ${seconds} s: ${failed} failed; ${counted}`);
}
