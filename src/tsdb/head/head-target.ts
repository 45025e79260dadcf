import { staleHistogram } from '../../chunkenc/histogram-fields.ts';
import type { Exemplar } from '../../model/exemplar.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { Metadata } from '../../model/metadata.ts';
import { STALE_NAN } from '../../model/sample.ts';
import type { AppendOutcome } from '../../storage/appender.ts';
import type { SeriesRefused, SeriesTarget } from '../../storage/series-writer.ts';
import type { HeadStore } from './head-store.ts';
import type { SeriesPolicy } from './series-table.ts';

/** The head as a target of samples by slot. Used within one turn of the event loop, between preparing and logging. */
export class HeadTarget implements SeriesTarget {
  readonly #store: HeadStore;
  readonly #policy: SeriesPolicy;

  constructor(store: HeadStore, policy: SeriesPolicy) {
    this.#store = store;
    this.#policy = policy;
  }

  get generation(): number {
    return this.#store.table.generation;
  }

  holds(slot: number, ref: number): boolean {
    return this.#store.table.holds(slot, ref);
  }

  resolve(labels: Labels): number | SeriesRefused {
    return this.#store.table.resolve(labels, this.#policy);
  }

  refOf(slot: number): number {
    return this.#store.memory.walRefOf(slot);
  }

  append(slot: number, t: number, v: number, startT = 0): AppendOutcome {
    return this.#store.appendFloat(slot, t, v, startT);
  }

  appendHistogram(slot: number, t: number, histogram: AnyHistogram, startT = 0): AppendOutcome {
    return this.#store.appendHistogram(slot, t, histogram, startT);
  }

  appendExemplar(slot: number, exemplar: Exemplar): AppendOutcome {
    return this.#store.appendExemplar(slot, exemplar);
  }

  appendStale(slot: number, t: number): boolean {
    const last = this.#store.newestOf(slot);
    if (t <= last.t) return false;
    const outcome =
      last.histogram === undefined
        ? this.#store.appendFloat(slot, t, STALE_NAN)
        : this.#store.appendHistogram(slot, t, staleHistogram(last.histogram));
    return outcome === 'ok';
  }

  setMetadata(slot: number, metadata: Metadata, family: string): void {
    this.#store.setMetadata(slot, metadata, family);
  }
}
