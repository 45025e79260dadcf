import { encodeLabels } from '../../encoding/label-bytes.ts';
import type { Exemplar } from '../../model/exemplar.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { Metadata } from '../../model/metadata.ts';
import type { Appender, AppendOutcome } from '../../storage/appender.ts';
import type { Head } from './head.ts';
import { histogramProblem } from './histogram-problem.ts';
import type { RareValue } from './rare-series.ts';
import type { SeriesPolicy } from './series-table.ts';

type Step = (slot: number) => void;

interface PendingSeries {
  readonly labels: Labels;
  /** 0 when the series does not exist yet. */
  readonly slot: number;
  readonly steps: Step[];
  newest: number;
}

/**
 * Collects a batch and puts it into the head at `commit`, all of it in one turn of the event loop. Outcomes are told by
 * what the head has at the time of `append`; what another writer overtakes meanwhile is dropped at commit, as by
 * Prometheus' appenders.
 */
export class BatchAppender implements Appender {
  readonly #head: Head;
  readonly #policy: SeriesPolicy;
  readonly #pending = new Map<string, PendingSeries>();
  #newSeries = 0;
  #prepared = false;

  constructor(head: Head, policy: SeriesPolicy) {
    this.#head = head;
    this.#policy = policy;
  }

  append(labels: Labels, t: number, v: number, startT = 0): AppendOutcome {
    return this.#add(labels, t, v, (slot) => this.#head.store.appendFloat(slot, t, v, startT));
  }

  appendHistogram(labels: Labels, t: number, histogram: AnyHistogram, startT = 0): AppendOutcome {
    if (histogramProblem(histogram) !== undefined) return 'invalid_histogram';
    return this.#add(labels, t, histogram, (slot) =>
      this.#head.store.appendHistogram(slot, t, histogram, startT),
    );
  }

  appendExemplar(labels: Labels, exemplar: Exemplar): AppendOutcome {
    const series = this.#seriesOf(labels);
    if (typeof series === 'string') return series;
    const outcome = this.#head.store.exemplars.check(series.slot, exemplar);
    if (outcome === 'ok') series.steps.push((slot) => this.#head.store.appendExemplar(slot, exemplar));
    return outcome;
  }

  setMetadata(labels: Labels, metadata: Metadata, family?: string): void {
    const series = this.#seriesOf(labels);
    if (typeof series === 'string') return;
    series.steps.push((slot) => this.#head.store.setMetadata(slot, metadata, family));
  }

  async commit(): Promise<void> {
    this.#head.prepareAppends();
    const { table } = this.#head.store;
    for (const { labels, steps } of this.#pending.values()) {
      const slot = table.resolve(labels, this.#policy);
      if (typeof slot === 'number') for (const step of steps) step(slot);
    }
    this.rollback();
    await this.#head.logAppended();
  }

  rollback(): void {
    this.#pending.clear();
    this.#newSeries = 0;
    this.#prepared = false;
  }

  #add(labels: Labels, t: number, value: RareValue, step: Step): AppendOutcome {
    this.#prepare();
    const series = this.#seriesOf(labels);
    if (typeof series === 'string') return series;
    const outcome = this.#check(series, t, value);
    if (outcome !== 'ok') return outcome;
    series.steps.push(step);
    series.newest = Math.max(series.newest, t);
    return 'ok';
  }

  /** Against the head, and against what this batch has for the series already. */
  #check(series: PendingSeries, t: number, value: RareValue): AppendOutcome {
    const outcome = this.#head.store.check(series.slot, t, value);
    if (outcome !== 'ok' || t > series.newest) return outcome;
    if (t === series.newest) return 'duplicate_value';
    return this.#head.store.limits.outOfOrderWindowMs > 0 ? 'ok' : 'out_of_order';
  }

  #prepare(): void {
    if (this.#prepared) return;
    this.#head.prepareAppends();
    this.#prepared = true;
  }

  #seriesOf(labels: Labels): PendingSeries | AppendOutcome {
    const key = labels.key();
    const known = this.#pending.get(key);
    if (known !== undefined) return known;
    const { memory } = this.#head.store;
    const slot = memory.find(encodeLabels(labels));
    if (slot === 0) {
      if (labels.size === 0) return 'invalid_labels';
      const refusal = this.#policy.admit(labels, memory.seriesCount + this.#newSeries);
      if (refusal !== undefined) return refusal.outcome;
      this.#newSeries++;
    }
    const series: PendingSeries = { labels, slot, steps: [], newest: Number.NEGATIVE_INFINITY };
    this.#pending.set(key, series);
    return series;
  }
}
