import { rangeGrid } from './exec/grid.ts';
import { parseExpr } from './parser/parse.ts';
import { makePlan } from './plan/plan.ts';
import { splitBySeries } from './plan/split-by-series.ts';

/** `node src/promql/compile.bench.ts`: how long the text of a large dashboard query takes to become a plan, µs. */
const PANEL =
  'sum by (cluster, job) (rate(http_requests_total{cluster=~"production-.*",job="api",code=~"5..",handler!="/healthz"}[5m])) / on (cluster, job) group_left () sum by (cluster, job) (rate(http_requests_total{cluster=~"production-.*",job="api"}[5m] offset 1h)) > bool 0.05 or histogram_quantile(0.99, sum by (le, cluster) (rate(http_request_duration_seconds_bucket{cluster=~"production-.*",job="api"}[5m])))';
const TEXT = Array.from({ length: 5 }, (_, i) => `(${PANEL} * ${i})`).join(' or ');
const ROUNDS = 2000;
const DAY = 86_400_000;

const grid = rangeGrid(0, DAY, 60_000);
const times: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const begin = performance.now();
  const expr = parseExpr(TEXT, {});
  const context = { start: 0, end: DAY, step: 60_000, subqueryStep: 60_000, startTimes: false };
  splitBySeries(makePlan(expr, context, grid, 300_000));
  times.push((performance.now() - begin) * 1000);
}
const cold = times[0];
times.sort((a, b) => a - b);
console.log(
  `${TEXT.length} characters: fastest ${times[0].toFixed(0)} µs, median ${times[ROUNDS >> 1].toFixed(0)} µs, first ${cold.toFixed(0)} µs`,
);
