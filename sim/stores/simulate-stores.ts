import { BatchDecoder } from '../../src/chunkenc/batch-decoder.ts';
import { decodeLabels } from '../../src/encoding/label-bytes.ts';
import { QueryKernel } from '../../src/kernel/query-kernel.ts';
import { Labels } from '../../src/model/labels.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { type Random, SeededRandom } from '../../src/platform/random.ts';
import { type DedupFunction, DedupQuerier } from '../../src/storage/dedup/dedup-querier.ts';
import { mergeQueriers } from '../../src/storage/merge.ts';
import type { Querier, SelectRequest } from '../../src/storage/querier.ts';
import { secondLook } from '../../src/storage/second-look.ts';
import { TolerantQuerier } from '../../src/storage/tolerant-querier.ts';
import { PrunedQuerier } from '../../src/storeapi/remote-stores.ts';
import { StoreQuerier } from '../../src/storeapi/store-querier.ts';
import type { PartialResponse } from '../../src/storeapi/store-server.ts';
import { SimulatedClock, settle } from '../clock.ts';
import { BYTES_MAX, FAULTS, FaultyStore, HARMLESS, LIARS } from './faulty-store.ts';
import { drawStores, pick, STEP_MS, T0 } from './store-data.ts';

export interface StoresResult {
  readonly failures: readonly string[];
  /** What was asked of whom, for people. */
  readonly story: string;
  readonly faults: readonly string[];
  readonly outcome: 'complete' | 'partial' | 'refused' | 'hung up';
}

const REPLICA: ReadonlySet<string> = new Set(['replica']);
const STALL_MS = 10_000;
const SLOWEST_MS = 3_000;
/** Looks of a query in which chunks do not decode: the second one checks them. */
const LOOKS = 2;
const TURNS = 6;
const TICK_MS = 200;
/** Sample values by time, by series. */
type Answer = Map<string, Map<number, number>>;

interface Plan {
  readonly stores: readonly FaultyStore[];
  readonly request: SelectRequest;
  readonly mode: PartialResponse;
  readonly dedup: DedupFunction | undefined;
  /** When the client hangs up, ms after its request; undefined for a patient one. */
  readonly hangUpMs: number | undefined;
}

/**
 * One query over stores of which some fail, all of it drawn from the seed: our own client of stores, the merge and the
 * deduplication, on simulated time. What is held to stands in `judge`.
 */
export async function simulateStores(seed: number): Promise<StoresResult> {
  const random = new SeededRandom(seed);
  const clock = new SimulatedClock(T0 + 86_400_000);
  const plan = drawPlan(random, clock);
  const hangUp = new AbortController();
  if (plan.hangUpMs !== undefined) clock.after(plan.hangUpMs, () => hangUp.abort(new Error('hung up')));
  let warnings: readonly string[] = [];
  let state: { answer?: Answer; error?: Error } | undefined;
  const attempt = async (verifiesChunks: boolean) => {
    const querier = await open(plan, clock, verifiesChunks);
    const answer = await read(querier, plan.request, hangUp.signal);
    warnings = querier.warnings;
    await querier.close();
    return answer;
  };
  secondLook(attempt).then(
    (answer) => (state = { answer }),
    (error: Error) => (state = { error }),
  );
  const patienceMs = patienceOf(plan);
  while (!state && clock.monotonic() < patienceMs) {
    await settle(TURNS);
    if (!state) await tick(clock);
  }
  const endedMs = clock.monotonic();
  await settle(TURNS);
  const failures = state
    ? [...judge(plan, state, warnings, hangUp.signal.aborted), ...leftovers(plan)]
    : [`nothing was answered within ${patienceMs} ms`];
  return {
    failures,
    faults: plan.stores.map(({ fault }) => fault),
    outcome: state?.answer
      ? warnings.length > 0
        ? 'partial'
        : 'complete'
      : hangUp.signal.aborted
        ? 'hung up'
        : 'refused',
    story: `${plan.stores.map(({ data, fault }) => `${data.address} ${fault}`).join(', ')}; ${plan.mode}, dedup ${plan.dedup}, ${plan.request.matchers.join()} ${plan.request.mint}…${plan.request.maxt}, ended at ${endedMs} ms: ${state?.error?.message ?? warnings.join('; ')}`,
  };
}

/** As `SimulatedClock.advance`, with fewer turns: chains are short here. */
async function tick(clock: SimulatedClock): Promise<void> {
  await clock.advance(TICK_MS);
}

function drawPlan(random: Random, clock: SimulatedClock): Plan {
  const all = drawStores(random);
  const quiet = random.next() < 0.3;
  const stores = all.map((data, i) => {
    const fault = quiet || random.next() < 0.4 ? 'none' : FAULTS[pick(random, FAULTS.length)];
    return new FaultyStore(data, fault, clock, new SeededRandom(Math.floor(random.next() * 2 ** 32) + i));
  });
  const matchers = [
    [new Matcher('=', '__name__', `m${pick(random, 3)}`)],
    [new Matcher('=~', '__name__', 'm.*')],
    [new Matcher('=~', '__name__', 'm.*'), new Matcher('=', 'cluster', `c${pick(random, 3)}`)],
    [new Matcher('!=', 'zone', 'z'), new Matcher('=~', 'instance', 'i[0-5]')],
  ][pick(random, 4)];
  const from = T0 + pick(random, 200) * STEP_MS;
  return {
    stores,
    request: { matchers, mint: from, maxt: from + pick(random, 300) * STEP_MS, sorted: true },
    mode: random.next() < 0.5 ? 'warn' : 'abort',
    dedup: ([undefined, 'fill', 'chain'] as const)[pick(random, 3)],
    hangUpMs: random.next() < 0.15 ? pick(random, 15_000) : undefined,
  };
}

/** Every store may stall once, one after the other, and each of its frames may be slow. */
function patienceOf({ stores }: Plan): number {
  const frames = stores.reduce((sum, { data }) => sum + 2 * data.series.length + 2, 0);
  return LOOKS * (stores.length * (STALL_MS + TICK_MS) + frames * (SLOWEST_MS + TICK_MS));
}

async function open(plan: Plan, clock: SimulatedClock, verifiesChunks: boolean): Promise<Querier> {
  const queriers: Querier[] = [];
  for (const store of plan.stores) {
    const { address: endpoint } = store.data;
    const { labelSets, mint, maxt } = await store.info();
    if (mint > plan.request.maxt || maxt < plan.request.mint) continue;
    const limits = { seriesMax: 10_000, bytesMax: BYTES_MAX, maxResolutionMs: 0 };
    const options = { tenant: 't', endpoint, partialResponse: plan.mode, verifiesChunks, ...limits };
    const tolerance = { onFailure: plan.mode, stallMs: STALL_MS, name: endpoint };
    const tolerant = new TolerantQuerier(new StoreQuerier(store, options), tolerance, clock);
    queriers.push(new PrunedQuerier(endpoint, tolerant, labelSets));
  }
  const merged = mergeQueriers(queriers);
  return plan.dedup ? new DedupQuerier(merged, [...REPLICA], plan.dedup) : merged;
}

async function read(querier: Querier, request: SelectRequest, signal: AbortSignal): Promise<Answer> {
  const decoder = new BatchDecoder(new QueryKernel());
  const answer: Answer = new Map();
  for await (const batch of querier.select({ signal }, request)) {
    decoder.open(batch);
    for (let i = 0; i < batch.seriesCount; i++) {
      const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
      const { timestamps, values } = decoder.floats(i, request.mint, request.maxt, true);
      if (answer.has(labels.toString())) throw new Error(`${labels} comes twice`);
      answer.set(labels.toString(), new Map(Array.from(timestamps, (t, k) => [t, values[k]])));
    }
  }
  return answer;
}

/** What the stores have that a query asks for, those with the fault left out when `which` says so. */
function truth({ stores, request, dedup }: Plan, which: (store: FaultyStore) => boolean): Answer {
  const model: Answer = new Map();
  for (const { data } of stores.filter(which))
    for (const { labels, samples } of data.series) {
      const full = Labels.from([...labels, ...data.external]);
      if (!request.matchers.every((matcher) => matcher.matches(full.get(matcher.name)))) continue;
      const key = (dedup ? full.drop(REPLICA) : full).toString();
      const own = model.get(key) ?? new Map<number, number>();
      for (const [t, v] of samples) if (t >= request.mint && t <= request.maxt) own.set(t, v);
      if (own.size > 0) model.set(key, own);
    }
  return model;
}

/**
 * Nothing is answered that no store has; what stores have that keep their word is answered; where something is missing, a
 * warning or the error names a store that failed, and no other is named.
 */
function judge(
  plan: Plan,
  { answer, error }: { answer?: Answer; error?: Error },
  warnings: readonly string[],
  hungUp: boolean,
): string[] {
  const { stores, mode } = plan;
  if (hungUp && error) return [];
  const isNamed = (text: string) => stores.find(({ data }) => text.startsWith(data.address));
  if (error) {
    const store = isNamed(error.message);
    if (mode === 'warn') return [`an error where a warning was wanted: ${error.stack}`];
    if (!store) return [`the error names no store: ${error.stack}`];
    return HARMLESS.has(store.fault) && store.fault !== 'warns'
      ? [`a healthy store is blamed: ${error.message}`]
      : [];
  }
  const blamed = warnings.map((warning) => ({ warning, store: isNamed(warning) }));
  const failures = blamed
    .filter(({ store }) => !store || (HARMLESS.has(store.fault) && store.fault !== 'warns'))
    .map(({ warning }) => `a warning that is not about a store that failed: ${warning}`);
  failures.push(
    ...missing(
      answer!,
      truth(plan, () => true),
      'is answered and no store has it',
    ),
  );
  const isBlamed = (store: FaultyStore) =>
    blamed.some((one) => one.store === store && store.fault !== 'warns');
  const expected = truth(plan, (store) => !LIARS.has(store.fault) && !isBlamed(store));
  failures.push(...missing(expected, answer!, 'is not answered, and nobody is blamed for it'));
  return failures;
}

/** Samples of `wanted` that `given` lacks or has otherwise. */
function missing(wanted: Answer, given: Answer, what: string): string[] {
  for (const [labels, samples] of wanted)
    for (const [t, v] of samples)
      if (given.get(labels)?.get(t) !== v)
        return [`${labels} ${v} at ${t} (other: ${given.get(labels)?.get(t)}) ${what}`];
  return [];
}

/** Every call has ended or was told to; none was let send without end. */
function leftovers({ stores }: Plan): string[] {
  return stores.flatMap(({ data, calls, fault }) =>
    calls.flatMap(({ signal, bytes, hasEnded }) => [
      ...(hasEnded || signal.aborted ? [] : [`${data.address} was not canceled`]),
      ...(hasEnded || fault === 'stalls and is deaf' ? [] : [`${data.address} still works`]),
      ...(bytes > 3 * BYTES_MAX ? [`${data.address} was let send ${bytes} bytes`] : []),
    ]),
  );
}
