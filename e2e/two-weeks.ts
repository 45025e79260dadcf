import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

const TWO_WEEKS = 14 * 24 * 60;
/** When the data end, seconds. */
export const END = 1_735_689_600;

/** Thirty series and a histogram, one sample a minute: counters that restart, gauges, and series with long gaps. */
export async function writeOpenMetrics(file: string, minutes = TWO_WEEKS): Promise<void> {
  const start = END - minutes * 60;
  const out = createWriteStream(file);
  for (const [name, value] of allSeries()) {
    const lines: string[] = [];
    for (let minute = 0; minute < minutes; minute++) {
      const v = value(minute);
      if (v !== undefined) lines.push(`${name} ${v} ${start + minute * 60}.123\n`);
    }
    if (!out.write(lines.join(''))) await once(out, 'drain');
  }
  out.end('# EOF\n');
  await finished(out);
}

/** A value by minute; undefined is no sample. */
type Value = (minute: number) => number | undefined;

function allSeries(): [string, Value][] {
  const all: [string, Value][] = [];
  for (const [i, job] of ['api', 'batch', 'web'].entries())
    for (const [j, instance] of ['a', 'b', 'c'].entries())
      all.push([`requests_total{job="${job}",instance="${instance}"}`, counter(3 * i + j + 1)]);
  for (let room = 0; room < 10; room++)
    all.push([
      `temperature_celsius{room="r${room}"}`,
      (minute) => Math.round((18 + room + 5 * Math.sin((minute + 100 * room) / 229)) * 1000) / 1000,
    ]);
  for (let i = 1; i <= 6; i++)
    all.push([
      `sometimes{part="${i}"}`,
      (minute) => (Math.floor(minute / (i * 170)) % 3 === 1 ? minute % 7 : undefined),
    ]);
  for (const [i, le] of ['0.1', '0.5', '1', '5', '+Inf'].entries())
    all.push([
      `latency_seconds_bucket{job="api",le="${le}"}`,
      (minute) => minute * (i + 1) * 2 + (i === 4 ? 3 : 0),
    ]);
  return all;
}

/** Grows unevenly, restarts from zero every few hundred minutes, and pauses for nine minutes now and then. */
function counter(seed: number): Value {
  const life = 700 + 131 * seed;
  return (minute) => {
    if ((minute + 37 * seed) % 499 < 9) return undefined;
    const age = minute % life;
    return age * seed + (age % 11);
  };
}
