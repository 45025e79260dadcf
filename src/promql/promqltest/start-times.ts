import { parseDuration } from '../../model/duration.ts';
import { VeronaError } from '../../model/errors.ts';

const DURATION = String.raw`(?:\d+(?:ms|[smhdwy]))+|0`;
const ITEM = new RegExp(`^(?:(_)|(\\*)|([+-]?)(${DURATION})(?:([+-])([+-]?)(${DURATION}))?)(?:x(\\d+))?$`);
/** Most values that one line may expand to. */
const VALUES_MAX = 1_000_000;

/**
 * Reads the offsets of start times from their samples' times, `-1m _ -30s-1mx2 *x3`, in ms; undefined where a sample has
 * none. `axn` is n + 1 values, `_xn` is n, and `*` the last offset before it, 0 without one. Throws `bad_data`.
 */
export function parseStartTimes(text: string): (number | undefined)[] {
  const offsets: (number | undefined)[] = [];
  for (const item of text.trim().split(/\s+/)) {
    offsets.push(...expand(item, offsets.findLast((offset) => offset !== undefined) ?? 0));
    if (offsets.length > VALUES_MAX) throw new VeronaError('bad_data', `more than ${VALUES_MAX} start times`);
  }
  return offsets;
}

function expand(item: string, last: number): (number | undefined)[] {
  const match = ITEM.exec(item);
  if (match === null) throw new VeronaError('bad_data', `invalid start time ${JSON.stringify(item)}`);
  const [, omitted, repeated, sign, base, direction, stepSign, step, times] = match;
  const count = Math.min(Number(times ?? 0), VALUES_MAX);
  if (omitted !== undefined) return Array(times === undefined ? 1 : count).fill(undefined);
  const first = repeated === undefined ? signed(sign, base) : last;
  const delta = step === undefined ? 0 : signed(stepSign, step) * (direction === '-' ? -1 : 1);
  return Array.from({ length: count + 1 }, (_, i) => first + i * delta);
}

function signed(sign: string, text: string): number {
  return (sign === '-' ? -1 : 1) * (parseDuration(text) ?? 0);
}
