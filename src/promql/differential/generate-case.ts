import type { Asked, Case } from './case.ts';
import { type Chance, often, pick } from './chance.ts';
import { DATA_MINUTES, DATA_START, type Dialect } from './dialect.ts';
import { generateData } from './generate-data.ts';
import { generateQuery } from './generate-query.ts';

/** A query over data of its own. */
export function generateCase(chance: Chance, dialect: Dialect): Case {
  const series = generateData(chance, dialect, 4);
  return { series, query: generateQuery(chance, dialect), asked: generateAsked(chance, dialect) };
}

/** Inside the data, or a little beyond. */
export function generateAsked(chance: Chance, { offGrid }: Dialect): Asked {
  const shift = offGrid ? 250 : pick(chance, [0, 0, 0, 500]);
  const start = DATA_START + 1000 * pick(chance, [60, 60, 30, 1]) * chance.int(3, 40) + shift;
  if (often(chance, 50))
    return { kind: 'instant', t: Math.min(start, DATA_START + (DATA_MINUTES + 2) * 60_000 + shift) };
  const step = 1000 * pick(chance, [15, 30, 60, 60, 77, 300]);
  return {
    kind: 'range',
    start,
    end: start + step * chance.int(0, 7) + 1000 * pick(chance, [0, 0, 7]),
    step,
  };
}
