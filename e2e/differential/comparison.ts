import { SeededRandom } from '../../src/platform/random.ts';
import { type Asked, type Case, type CaseSeries, showCase } from '../../src/promql/differential/case.ts';
import type { Chance } from '../../src/promql/differential/chance.ts';
import { dependsOnChance } from '../../src/promql/differential/chance-order.ts';
import { type Comparison, difference, type Result } from '../../src/promql/differential/compare-outcomes.ts';
import { SHARED_WITH_2, WHOLE } from '../../src/promql/differential/dialect.ts';
import { generateAsked } from '../../src/promql/differential/generate-case.ts';
import { generateData } from '../../src/promql/differential/generate-data.ts';
import { generateQuery } from '../../src/promql/differential/generate-query.ts';
import { shrink } from '../../src/promql/differential/shrink-case.ts';
import { askEngine, askReference, isOrdered, storageOf } from '../../src/promql/differential/subjects.ts';
import { Engine } from '../../src/promql/engine.ts';
import { ALL_FEATURES } from '../../src/promql/parser/options.ts';
import { Reference } from '../../src/promql/reference/reference.ts';
import { readEverything } from '../../src/promql/reference/source.ts';
import type { Queryable } from '../../src/storage/querier.ts';
import { KNOWN_DIFFERENCES, type Question } from './known-differences.ts';
import { PrometheusPeer } from './prometheus-peer.ts';

export type PeerName = 'prometheus' | 'reference';

export interface Counts {
  same: number;
  /** Of those, answers without any series, and errors. */
  empty: number;
  errors: number;
  /** Differences that are known and meant. */
  known: number;
  different: number;
}

export interface Options {
  readonly seed: number;
  readonly queries: number;
  readonly peer: PeerName;
  /** Queries over the same data. */
  readonly queriesPerData: number;
  /** Questions asked of the peer at a time. */
  readonly concurrency: number;
  progress(counts: Counts): void;
  /** A difference, as small as it could be made. */
  failure(text: string): void;
}

/** Asks generated queries over generated data of the engine and of a peer. */
export async function compareWithPeer(options: Options): Promise<Counts> {
  const counts: Counts = { same: 0, empty: 0, errors: 0, known: 0, different: 0 };
  for (let asked = 0, round = 0; asked < options.queries; asked += options.queriesPerData, round++) {
    const queries = Math.min(options.queriesPerData, options.queries - asked);
    await compareOverData(options, options.seed * 100_000 + round, queries, counts);
    options.progress(counts);
  }
  return counts;
}

async function compareOverData(
  options: Options,
  seed: number,
  queries: number,
  counts: Counts,
): Promise<void> {
  const dialect = options.peer === 'prometheus' ? SHARED_WITH_2 : WHOLE;
  const chance = chanceOf(seed);
  const series = generateData(chance, dialect, 4);
  await using opponents = await Opponents.over(options.peer, series);
  const questions = Array.from({ length: queries }, () => ({
    series,
    query: generateQuery(chance, dialect),
    asked: generateAsked(chance, dialect),
  }));
  const ask = async () => {
    for (let question = questions.pop(); question !== undefined; question = questions.pop())
      await judge(opponents, question, counts, (text) => options.failure(`data ${seed}: ${text}`));
  };
  await Promise.all(Array.from({ length: options.concurrency }, ask));
}

function chanceOf(seed: number): Chance {
  const random = new SeededRandom(seed);
  return { int: (min, max) => min + Math.floor(random.next() * (max - min + 1)) };
}

/** The engine and its peer over the same series. */
class Opponents implements AsyncDisposable {
  readonly peer: PeerName;
  readonly #storage: Queryable;
  readonly #engine = new Engine({
    features: { ...ALL_FEATURES, 'use-start-timestamps': true },
    withoutRewrites: ['matcher-propagation'],
  });
  readonly #askPeer: (query: string, asked: Asked) => Promise<Result>;
  readonly #stop: () => Promise<void>;

  private constructor(
    peer: PeerName,
    storage: Queryable,
    askPeer: (query: string, asked: Asked) => Promise<Result>,
    stop: () => Promise<void>,
  ) {
    this.peer = peer;
    this.#storage = storage;
    this.#askPeer = askPeer;
    this.#stop = stop;
  }

  static async over(peer: PeerName, series: readonly CaseSeries[]): Promise<Opponents> {
    const storage = await storageOf(series);
    if (peer === 'reference') {
      const reference = new Reference(await readEverything(storage), { delayed: false, startTimes: true });
      return new Opponents(
        peer,
        storage,
        async (query, asked) => askReference(reference, query, asked),
        async () => {},
      );
    }
    const prometheus = await PrometheusPeer.start(series);
    return new Opponents(
      peer,
      storage,
      (query, asked) => prometheus.ask(query, asked),
      () => prometheus.stop(),
    );
  }

  async ask(
    query: string,
    asked: Asked,
  ): Promise<{ theirs: Result; ours: Result; problem: string | undefined }> {
    const [theirs, ours] = await Promise.all([
      this.#askPeer(query, asked),
      askEngine(this.#engine, this.#storage, query, asked),
    ]);
    const ordered = asked.kind === 'instant' && isOrdered(query);
    const how = { ...exactnessOf(this.peer, query), ordered, remarks: this.peer === 'reference' };
    return { theirs, ours, problem: difference(theirs, ours, how) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}

/** 2.42 computes means, deviations and regressions with other roundings; the dialect has them only around everything else. */
function exactnessOf(peer: PeerName, query: string): Pick<Comparison, 'tolerance' | 'absolute'> {
  const inexact = SHARED_WITH_2.outermost.some((name) => query.startsWith(name));
  if (peer === 'reference') return { tolerance: 1e-12 };
  // Compensation turns a sum of -0 into 0.
  return inexact ? { tolerance: 1e-6, absolute: 1e-9 } : { tolerance: 1e-12, absolute: Number.MIN_VALUE };
}

async function judge(
  opponents: Opponents,
  question: Case,
  counts: Counts,
  failure: (text: string) => void,
): Promise<void> {
  const { query, asked } = question;
  const { theirs, ours, problem } = await opponents.ask(query, asked);
  if (problem === undefined) return countSame(counts, ours);
  if (isKnown(opponents, { query, asked, theirs, ours })) {
    counts.known++;
    return;
  }
  counts.different++;
  failure(await explained(opponents, question));
}

function isKnown({ peer }: Opponents, question: Question): boolean {
  if (dependsOnChance(question.query, question.asked)) return true;
  return peer === 'prometheus' && KNOWN_DIFFERENCES.some((known) => known.applies(question));
}

function countSame(counts: Counts, ours: Result): void {
  counts.same++;
  if ('error' in ours) counts.errors++;
  else {
    const { answer } = ours.outcome;
    const rows =
      answer.type === 'vector' ? answer.samples : answer.type === 'matrix' ? answer.series : undefined;
    if (rows?.length === 0) counts.empty++;
  }
}

/** The query made as small as it goes while the two still differ, and the series that it reads; a peer keeps its data. */
async function explained(opponents: Opponents, question: Case): Promise<string> {
  const small = await shrink(
    question,
    async ({ series, query, asked }) => {
      if (series !== question.series) return false;
      const { theirs, ours, problem } = await opponents.ask(query, asked);
      return problem !== undefined && !isKnown(opponents, { query, asked, theirs, ours });
    },
    300,
  );
  const { problem } = await opponents.ask(small.query, small.asked);
  return `${problem}\n  was ${question.query}\n${showCase({ ...small, series: read(small) })}`;
}

/** Most samples of a series that are shown. */
const SHOWN_MAX = 40;

/** The series that a query names, and of them the samples up to its end. */
function read({ series, query, asked }: Case): CaseSeries[] {
  const end = asked.kind === 'instant' ? asked.t : asked.end;
  return series
    .filter(({ labels }) => query.includes(labels.get('__name__')))
    .map(({ labels, samples }) => ({
      labels,
      samples: samples.filter(({ t }) => t <= end).slice(-SHOWN_MAX),
    }));
}
