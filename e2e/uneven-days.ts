import { writeFileSync } from 'node:fs';
import { END } from './two-weeks.ts';

const HOUR = 3600;

/**
 * Days up to `END` of what real scrapes look like, as OpenMetrics: intervals of 1, 5 and 7 minutes (`iv`, seconds) that are not on
 * any grid, gaps of ten minutes and of two hours (`gaps="1"`), counters that restart, gauges with noise, and pods that live 40 minutes.
 */
export function writeUnevenDays(file: string, days: number): void {
  const start = END - days * 24 * HOUR;
  const chance = lcg(7);
  const [counters, gauges, pods] = [[], [], []] as string[][];
  for (const iv of [60, 300, 420])
    for (const gaps of [0, 1]) {
      let count = Math.floor(chance() * 1000);
      for (let t = start + 17 + gaps; t < END; t += iv) {
        if (chance() < iv / (9 * HOUR)) count = 0;
        count += Math.floor(chance() * iv);
        const hour = Math.floor((t - start) / HOUR) % 17;
        const isGap = gaps === 1 && (hour === 3 || hour === 4 || Math.floor((t - start) / 600) % 11 === 5);
        if (isGap) continue;
        counters.push(`jobs_total{iv="${iv}",gaps="${gaps}"} ${count} ${t}`);
        const level = 20 + 10 * Math.sin((t - start) / (4 * HOUR)) + chance();
        gauges.push(`level{iv="${iv}",gaps="${gaps}"} ${level.toFixed(3)} ${t}`);
      }
    }
  for (let pod = 0; pod < days * 12; pod++)
    for (let age = 0; age < 40; age++)
      pods.push(`pod_jobs_total{pod="${pod}"} ${3 * age} ${start + pod * 2 * HOUR + 600 + 60 * age}`);
  const families = [counters, gauges, pods].map((lines) => `${lines.join('\n')}\n`);
  writeFileSync(file, `${families.join('')}# EOF\n`);
}

/** Numbers from 0 to 1, the same each time. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
