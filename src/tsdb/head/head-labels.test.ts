import { expect, test } from 'vitest';
import { Matcher } from '../../model/matcher.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import type { LabelRequest } from '../../storage/querier.ts';
import { floatSeries, HOUR, openDb, requestBody, T0, TestClock } from '../testdata/db-fixture.ts';
import { admitAll } from './series-table.ts';

test('names and values that are few come at once as they come otherwise, and many do not', async () => {
  const db = await openDb(new MemoryDisk(), new TestClock(T0 + HOUR));
  const series = Array.from({ length: 1500 }, (_, i) =>
    floatSeries({ __name__: `m${i % 3}`, id: String(i), ...(i % 7 === 0 ? { rare: `r${i % 5}` } : {}) }, [
      [T0, i],
    ]),
  );
  await db.write(requestBody(series), 1, admitAll);
  const request = (matchers: Matcher[], limit = 0): LabelRequest => ({
    matchers,
    mint: 0,
    maxt: T0 * 2,
    limit,
  });
  const both = async (name: string | undefined, asked: LabelRequest) => {
    const { head } = db;
    const whole = name === undefined ? head.labelNames(asked) : head.labelValues(name, asked);
    return { atOnce: head.labelsAtOnce(name, asked), whole: await whole };
  };
  const few = [new Matcher('=', '__name__', 'm1')];
  for (const name of [undefined, 'rare', '__name__', 'none'])
    for (const asked of [request([]), request([], 2), request(few), request(few, 1)]) {
      const { atOnce, whole } = await both(name, asked);
      expect(atOnce).toEqual(whole);
    }
  expect((await both('id', request([]))).atOnce).toBeUndefined();
  expect((await both('rare', request([new Matcher('=~', 'id', '.+')]))).atOnce).toBeUndefined();
  expect((await both('id', request(few))).atOnce?.length).toBe(500);
  await db.close();
});
