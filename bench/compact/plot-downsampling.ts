import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Aggregate } from '../../src/chunkenc/aggregate-chunk.ts';
import { decodeXor, type FloatColumns } from '../../src/chunkenc/xor.ts';
import { QueryKernel } from '../../src/kernel/query-kernel.ts';
import type { BlockChunk } from '../../src/tsdb/block/block-writer.ts';
import { downsampleSeries } from '../../src/tsdb/downsample/downsample-series.ts';
import { readAggregates } from '../../src/tsdb/downsample/read-aggregates.ts';
import { FIVE_MINUTES_MS, ONE_HOUR_MS } from '../../src/tsdb/downsample/window.ts';
import { encodeSamples } from '../../src/tsdb/head/clip-chunk.ts';

/** `npm run plot:downsampling`: rate of a counter that restarts, of raw, 5m and 1h data, as docs/downsampling.svg. */
const HOURS = 48;
const STEP_MS = 15_000;
const START = 1_699_920_000_000;
const [WIDTH, HEIGHT, LEFT, TOP] = [760, 300, 50, 30];

const raw = chunksOf(counter());
const five = downsampleSeries(raw, 0, FIVE_MINUTES_MS);
const hour = downsampleSeries(five, FIVE_MINUTES_MS, ONE_HOUR_MS);
const grid = { start: START + 4 * ONE_HOUR_MS, step: 600_000, steps: (HOURS - 4) * 6 };
const lines = [
  { name: 'raw', color: '#333', rates: ratesOf(raw) },
  { name: '5m', color: '#1f77b4', rates: ratesOf(five) },
  { name: '1h', color: '#d62728', rates: ratesOf(hour) },
];
const largest = Math.max(...lines[0].rates);
for (const { name, rates } of lines.slice(1)) {
  const worst = Math.max(...rates.map((rate, i) => Math.abs(rate - lines[0].rates[i]) / largest));
  console.log(`${name}: at most ${(100 * worst).toFixed(2)} % of the largest rate off`);
}
const legend = lines.map(
  ({ name, color }, i) => `<text x="${LEFT + 60 * i}" y="18" fill="${color}" font-size="13">${name}</text>`,
);
const axis = [0, 0.5, 1].map((part) => {
  const y = yOf(part * largest);
  return `<path d="M${LEFT} ${y}H${WIDTH}" stroke="#ddd"/><text x="4" y="${y + 4}" font-size="11">${(part * largest).toFixed(1)}/s</text>`;
});
const paths = lines.map(({ color, rates }) => `<path d="${pathOf(rates)}" fill="none" stroke="${color}"/>`);
writeFileSync(
  join(import.meta.dirname, '../../docs/downsampling.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif">
<rect width="100%" height="100%" fill="#fff"/>
${[...axis, ...legend, ...paths].join('\n')}
<text x="${LEFT}" y="${HEIGHT - 4}" font-size="11">rate(x[2h]) over ${HOURS - 4} hours</text>
</svg>
`,
);

/** Faster and slower over the day; from zero again every twelve hours. */
function counter(): FloatColumns {
  const count = (HOURS * 3_600_000) / STEP_MS;
  const timestamps = Float64Array.from({ length: count }, (_, i) => START + i * STEP_MS);
  const values = new Float64Array(count);
  let value = 0;
  for (let i = 0; i < count; i++) {
    const hourOfDay = (i * STEP_MS) / 3_600_000;
    value = hourOfDay % 12 === 7 ? 0 : value + Math.round(75 + 60 * Math.sin(hourOfDay / 2.3));
    values[i] = value;
  }
  return { timestamps, values };
}

function chunksOf({ timestamps, values }: FloatColumns): BlockChunk[] {
  const samples = Array.from(timestamps, (t, i) => ({ t, value: values[i] }));
  return encodeSamples(samples).map(({ mint, maxt, encoding, bytes }) => ({
    mint,
    maxt,
    encoding,
    data: bytes,
  }));
}

function ratesOf(chunks: readonly BlockChunk[]): number[] {
  const parts = readAggregates(chunks, Aggregate.counter).map(({ data }) => decodeXor(data, 0, data.length));
  const kernel = new QueryKernel();
  kernel.setSamples(
    Float64Array.from(parts.flatMap(({ timestamps }) => [...timestamps])),
    Float64Array.from(parts.flatMap(({ values }) => [...values])),
  );
  return [...kernel.windows('rate', grid, 2 * ONE_HOUR_MS)];
}

function yOf(rate: number): number {
  return Math.round((HEIGHT - 25 - (rate / largest) * (HEIGHT - 25 - TOP)) * 10) / 10;
}

function pathOf(rates: readonly number[]): string {
  const x = (i: number) => Math.round((LEFT + (i * (WIDTH - LEFT)) / rates.length) * 10) / 10;
  return rates.map((rate, i) => `${i === 0 ? 'M' : 'L'}${x(i)} ${yOf(rate)}`).join('');
}
