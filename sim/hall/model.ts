import { windowEnd } from '../../src/tsdb/downsample/window.ts';
import type { HallPlan } from './plan.ts';

/** One sample of one series: where it is and what has become of it. Versions are those of the model when it learnt it. */
interface Sample {
  readonly value: number;
  /** Since when a whole block in the bucket has it; undefined while none is known to. */
  sureSince: number | undefined;
  /** Since when it is surely deleted. */
  deletedSince: number | undefined;
  /** A deletion that may hold or not, for a clock that was wrong or an answer that was lost. */
  maybeDeleted: boolean;
  /** Blocks it was put into. */
  readonly blocks: Set<string>;
}

/** Samples by series and time. */
export type Samples = ReadonlyMap<string, ReadonlyMap<number, number>>;

interface Bounds {
  readonly least: number;
  readonly most: number;
}

interface Wanted {
  readonly series: string;
  readonly mint: number;
  readonly maxt: number;
}

/** What is asked of an answer. */
export interface AnswerRules {
  /** The version of the model that the reader's view is at least as new as. */
  readonly syncedAt: number;
  readonly nowMs: number;
  /** Listings may have been stale. */
  readonly isStale: boolean;
  /** Nothing has happened for long: what is too old must be gone. */
  readonly atRest: boolean;
}

const DIFFERENCES_MAX = 10;

/** What one tenant must have in the hall: maps, no storage. */
export class HallModel {
  readonly #plan: HallPlan;
  readonly #series = new Map<string, Map<number, Sample>>();
  readonly #byBlock = new Map<string, { series: string; t: number }[]>();
  readonly #lost = new Set<string>();
  /** Deletions that were surely stored. */
  readonly #deletions: (Wanted & { readonly isCertain: boolean })[] = [];
  isDeleted = false;
  version = 1;

  constructor(plan: HallPlan) {
    this.#plan = plan;
  }

  /** A block was made; not in the bucket yet. `made` tells what may be ambiguous: it was made while its clock stood at `ulidMs`. */
  put(ulid: string, samples: Samples, isAmbiguous: (series: string, t: number) => boolean): void {
    const list: { series: string; t: number }[] = [];
    for (const [series, values] of samples) {
      const known = this.#series.get(series) ?? new Map<number, Sample>();
      this.#series.set(series, known);
      for (const [t, value] of values) {
        const sample = known.get(t) ?? {
          value,
          sureSince: undefined,
          deletedSince: undefined,
          maybeDeleted: false,
          blocks: new Set<string>(),
        };
        if (isAmbiguous(series, t)) sample.maybeDeleted = true;
        sample.blocks.add(ulid);
        known.set(t, sample);
        list.push({ series, t });
      }
    }
    this.#byBlock.set(ulid, list);
  }

  /** The block is whole in the bucket. */
  stored(ulid: string): void {
    this.version++;
    for (const { series, t } of this.#byBlock.get(ulid) ?? []) {
      const sample = this.#sample(series, t);
      sample.sureSince ??= this.version;
    }
  }

  /** Whether a sample at t may not be put into a block any more: its head left it out. */
  isGone(series: string, t: number): boolean {
    return this.#deletions.some(
      (one) => one.series === series && t >= one.mint && t <= one.maxt && this.#hasSample(series, t),
    );
  }

  /** Whether a deletion named this time of the series. */
  isNamed(series: string, t: number): boolean {
    return this.#deletions.some((one) => one.series === series && t >= one.mint && t <= one.maxt);
  }

  /** `certainFor` tells whether the request holds for a block, by its name. */
  deleted(wanted: Wanted, isCertain: boolean, certainFor: (ulid: string) => boolean): void {
    this.version++;
    this.#deletions.push({ ...wanted, isCertain });
    for (const [t, sample] of this.#series.get(wanted.series) ?? []) {
      if (t < wanted.mint || t > wanted.maxt) continue;
      if (isCertain && !sample.maybeDeleted && [...sample.blocks].every(certainFor))
        sample.deletedSince ??= this.version;
      else sample.maybeDeleted = true;
    }
  }

  /** A block was damaged: what only it had may be missing. */
  damaged(ulid: string): void {
    this.#lost.add(ulid);
  }

  /** Of all series: whether any was ever named by a deletion. */
  hasDeletions(series: string): boolean {
    return this.#deletions.some((one) => one.series === series);
  }

  get seriesNames(): readonly string[] {
    return [...this.#series.keys()];
  }

  /** Samples of a series that surely are, and that may be, in an answer about raw data now, by the end of their window. */
  bounds(series: string, windowMs: number, rules: AnswerRules): ReadonlyMap<number, Bounds> {
    const found = new Map<number, Bounds>();
    for (const [t, sample] of this.#series.get(series) ?? []) {
      const end = windowEnd(t, windowMs);
      const { least, most } = found.get(end) ?? { least: 0, most: 0 };
      const [isSure, isPossible] = [this.#mustBe(t, sample, rules), !this.#mustNotBe(t, sample, rules)];
      found.set(end, { least: least + Number(isSure), most: most + Number(isPossible) });
    }
    return found;
  }

  /** How an answer contradicts what is known. */
  differences(answer: Samples, rules: AnswerRules): string[] {
    const found: string[] = [];
    for (const [series, values] of answer)
      for (const [t, value] of values) {
        const sample = this.#series.get(series)?.get(t);
        if (!sample) found.push(`never sent: ${series} at ${t}: ${value}`);
        else if (sample.value !== value)
          found.push(`other value: ${series} at ${t}: ${value}, sent ${sample.value}`);
        else if (this.#mustNotBe(t, sample, rules))
          found.push(
            `${sample.deletedSince ? 'deleted' : 'expired'}: ${series} at ${t}, in ${[...sample.blocks]}`,
          );
      }
    for (const [series, samples] of this.#series)
      for (const [t, sample] of samples)
        if (this.#mustBe(t, sample, rules) && !answer.get(series)?.has(t))
          found.push(`missing: ${series} at ${t}, in ${[...sample.blocks]}`);
    const more = found.length - DIFFERENCES_MAX;
    return more > 0 ? [...found.slice(0, DIFFERENCES_MAX), `… and ${more} more`] : found;
  }

  #mustBe(t: number, sample: Sample, { syncedAt, nowMs, isStale }: AnswerRules): boolean {
    if (this.isDeleted || isStale || sample.maybeDeleted || sample.deletedSince !== undefined) return false;
    if (sample.sureSince === undefined || sample.sureSince > syncedAt) return false;
    if ([...sample.blocks].some((ulid) => this.#lost.has(ulid))) return false;
    const { retention, skewMs } = this.#plan;
    return !retention || t > nowMs + skewMs - retention.rawMs;
  }

  #mustNotBe(t: number, sample: Sample, { syncedAt, nowMs, isStale, atRest }: AnswerRules): boolean {
    if (this.isDeleted) return atRest;
    if (sample.deletedSince !== undefined && sample.deletedSince <= syncedAt) return !isStale;
    const { retention, rules } = this.#plan;
    const reach = 4 * (rules.rangesMs.at(-1) as number);
    return atRest && retention !== undefined && t < nowMs - retention.rawMs - reach;
  }

  #hasSample(series: string, t: number): boolean {
    return this.#series.get(series)?.has(t) ?? false;
  }

  #sample(series: string, t: number): Sample {
    const sample = this.#series.get(series)?.get(t);
    if (!sample) throw new Error(`the model does not know ${series} at ${t}`);
    return sample;
  }
}
