import { expect, test } from 'vitest';
import { Matcher } from '../model/matcher.ts';
import { emptyQuerier } from '../storage/empty-querier.ts';
import type { Querier, SelectHints } from '../storage/querier.ts';
import { byRequest, tellingShortRanges } from './by-request.ts';
import type { ResolutionWish } from './choose-blocks.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ctx = { signal: new AbortController().signal };
const request = (hints: SelectHints) => ({
  matchers: [new Matcher('=', '__name__', 'up')],
  mint: 0,
  maxt: 10 * HOUR,
  sorted: true,
  hints,
});

test('a request gets samples at most a fifth of its range apart, and raw ones where aggregates do not answer it', async () => {
  const read = async (
    hints: SelectHints,
    wish: number | ResolutionWish = HOUR,
    resolutions = [0, 5 * MINUTE, HOUR],
  ) => {
    const allowed = typeof wish === 'number' ? { maxMs: wish } : wish;
    let asked: ResolutionWish | undefined;
    const none = emptyQuerier([]);
    const open = (wish: ResolutionWish): Querier => ({
      ...none,
      select: (...given) => {
        asked = wish;
        return none.select(...given);
      },
    });
    const querier = byRequest(allowed, new Set(resolutions), open);
    for await (const _ of querier.select(ctx, request(hints)));
    await querier.close();
    return (asked as ResolutionWish | undefined)?.bestMs;
  };
  expect(await read({ func: 'sum' })).toBe(HOUR);
  expect(await read({ func: 'sum' }, 5 * MINUTE)).toBe(5 * MINUTE);
  expect(await read({ func: 'rate', rangeMs: 5 * HOUR })).toBe(HOUR);
  expect(await read({ func: 'rate', rangeMs: 5 * HOUR - 1 })).toBe(5 * MINUTE);
  expect(await read({ func: 'rate', rangeMs: 25 * MINUTE })).toBe(5 * MINUTE);
  expect(await read({ func: 'rate', rangeMs: 5 * MINUTE })).toBe(0);
  expect(await read({ func: 'rate', rangeMs: 5 * HOUR }, HOUR, [0, 5 * MINUTE])).toBe(5 * MINUTE);
  expect(await read({ func: 'resets', rangeMs: 24 * HOUR })).toBe(0);
  const auto = { maxMs: Number.POSITIVE_INFINITY, bestMs: 12 * MINUTE };
  expect(await read({ func: 'sum' }, auto)).toBe(5 * MINUTE);
  expect(await read({ func: 'rate', rangeMs: 24 * HOUR }, auto)).toBe(5 * MINUTE);
});

test('a range that is too short for the samples that are left is told of', async () => {
  const meta = { ulid: 'A', mint: 0, maxt: 10 * HOUR, level: 1, sources: [], seriesCount: 1, chunkCount: 1 };
  const rest = { labels: {}, resolutionMs: HOUR, files: [], appliedDeletions: [] };
  const chosen = [{ block: { meta: { ...meta, ...rest } }, mint: 0, maxt: 10 * HOUR - 1 }];
  const warningsOf = async (hints: SelectHints, isQuiet = false) => {
    const querier = tellingShortRanges(emptyQuerier([]), chosen, { maxMs: HOUR, isQuiet });
    for await (const _ of querier.select(ctx, request(hints)));
    return querier.warnings;
  };
  expect(await warningsOf({ func: 'rate', rangeMs: 5 * MINUTE })).toEqual([
    'rate over 5m reads samples 1h apart where there are no finer ones: there it takes a range of 2h or more',
  ]);
  expect(await warningsOf({ func: 'rate', rangeMs: 5 * MINUTE }, true)).toEqual([]);
  expect(await warningsOf({ func: 'rate', rangeMs: 2 * HOUR })).toEqual([]);
  expect(await warningsOf({ func: 'max_over_time', rangeMs: HOUR })).toEqual([]);
  expect(await warningsOf({ func: 'max_over_time', rangeMs: 30 * MINUTE })).toHaveLength(1);
  expect(await warningsOf({ func: 'sum' })).toEqual([]);
});
