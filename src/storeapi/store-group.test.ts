import { afterEach, expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { SystemClock } from '../platform/clock.ts';
import { selectSamples } from '../storage/acceptance.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import type { Queryable } from '../storage/querier.ts';
import { QueryableStore } from './queryable-store.ts';
import { StoreGroup } from './store-group.ts';
import { StoreQuerier } from './store-querier.ts';
import { loopback } from './testdata/loopback.ts';

const clock = new SystemClock();
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** What a member does when it is asked for series. */
type Behaviour = 'answers' | 'fails' | 'stalls' | 'refuses';

class Member {
  readonly behaviour: Behaviour;
  asked = 0;
  canceled = 0;

  constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
  }

  async serve() {
    const storage = new MemoryStorage();
    const appender = storage.appender();
    for (const i of ['0', '1']) appender.append(Labels.from({ __name__: 'up', i }), 1, 1);
    await appender.commit();
    const source: Queryable = {
      querier: async (mint, maxt) => {
        const querier = await storage.querier(mint, maxt);
        return {
          warnings: [],
          select: (ctx, request) => this.#select(querier.select(ctx, request), ctx.signal),
          labelNames: async (ctx, request) => {
            this.asked++;
            if (this.behaviour !== 'answers') throw new VeronaError('unavailable', 'no');
            return querier.labelNames(ctx, request);
          },
          labelValues: async () => [],
          exemplars: async () => [],
          close: async () => {},
        };
      },
    };
    const info = () => ({ component: 'store', labelSets: [], mint: 0, maxt: 10 });
    const { client, close } = await loopback(new QueryableStore(source, info));
    closers.push(close);
    return client;
  }

  async *#select<T>(batches: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
    this.asked++;
    signal.addEventListener('abort', () => this.canceled++, { once: true });
    if (this.behaviour === 'fails') throw new VeronaError('unavailable', 'it is not here');
    if (this.behaviour === 'refuses') throw new VeronaError('bad_data', 'nonsense');
    if (this.behaviour === 'stalls') await new Promise(() => {});
    yield* batches;
  }
}

const request = { matchers: [new Matcher('=', '__name__', 'up')], mint: 0, maxt: 10, sorted: true };

async function group(members: readonly Member[], hedgeMs = 0, first = 0) {
  const clients = await Promise.all(members.map((member) => member.serve()));
  return new StoreQuerier(new StoreGroup(clients, { first, hedgeMs }, clock), {
    tenant: 'a',
    endpoint: 'group',
    partialResponse: 'warn',
    maxResolutionMs: 0,
    seriesMax: 10,
    bytesMax: 1e6,
  });
}

const membersOf = (...behaviours: Behaviour[]) => behaviours.map((behaviour) => new Member(behaviour));
const askedOf = (members: readonly Member[]) => members.map(({ asked }) => asked);

test('one member is asked: the first in turn', async () => {
  const members = membersOf('answers', 'answers', 'answers');
  expect(Object.keys(await selectSamples(await group(members, 0, 4), request))).toHaveLength(2);
  expect(askedOf(members)).toEqual([0, 1, 0]);
});

test('where one fails the next is asked, and the last error is that of the group', async () => {
  const members = membersOf('fails', 'fails', 'answers');
  const querier = await group(members);
  expect(Object.keys(await selectSamples(querier, request))).toHaveLength(2);
  expect(askedOf(members)).toEqual([1, 1, 1]);
  const labels = { ...request, limit: 0 };
  expect(await querier.labelNames({ signal: new AbortController().signal }, labels)).toEqual([
    '__name__',
    'i',
  ]);
  await expect(selectSamples(await group(membersOf('fails', 'fails')), request)).rejects.toThrow(
    'it is not here',
  );
});

test('what every member would refuse is asked once', async () => {
  const members = membersOf('refuses', 'answers');
  await expect(selectSamples(await group(members), request)).rejects.toThrow('nonsense');
  expect(askedOf(members)).toEqual([1, 0]);
});

test('beside a member that is slow the next is asked, and the slow one is canceled when that answers', async () => {
  const members = membersOf('stalls', 'answers', 'answers');
  expect(Object.keys(await selectSamples(await group(members, 30), request))).toHaveLength(2);
  expect(askedOf(members)).toEqual([1, 1, 0]);
  await expect.poll(() => members[0].canceled).toBe(1);
});

test('a read that is canceled cancels every member that was asked', async () => {
  const members = membersOf('stalls', 'stalls');
  const querier = await group(members, 20);
  const gone = new AbortController();
  const read = querier.select({ signal: gone.signal }, request).next();
  await expect.poll(() => askedOf(members)).toEqual([1, 1]);
  gone.abort(new Error('hung up'));
  await expect(read).rejects.toThrow('hung up');
  await expect.poll(() => members.map(({ canceled }) => canceled)).toEqual([1, 1]);
});
