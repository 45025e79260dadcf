import type { Exemplar } from '../model/exemplar.ts';
import type { AnyHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Metadata } from '../model/metadata.ts';
import type { AppendOutcome } from './appender.ts';

/** Why a series was not made. */
export interface SeriesRefused {
  readonly outcome: 'series_limit' | 'invalid_labels';
  /** A sentence for people. */
  readonly reason: string;
}

/**
 * Where a writer that comes back with the same series puts their samples, without their labels: a series is known by its
 * `slot`, which may mean another one after that series is gone, and by its `ref`, which never does.
 */
export interface SeriesTarget {
  /** Another number whenever series have gone since the last look: `holds` then says which are left. */
  readonly generation: number;
  holds(slot: number, ref: number): boolean;
  /** The slot of a series, which is made if need be. */
  resolve(labels: Labels): number | SeriesRefused;
  refOf(slot: number): number;
  append(slot: number, t: number, v: number, startT?: number): AppendOutcome;
  appendHistogram(slot: number, t: number, histogram: AnyHistogram, startT?: number): AppendOutcome;
  appendExemplar(slot: number, exemplar: Exemplar): AppendOutcome;
  /** Ends a series with a staleness marker at `t`; false when it has samples that are as new, which are not marked. */
  appendStale(slot: number, t: number): boolean;
  /** The series stands for its metric family. */
  setMetadata(slot: number, metadata: Metadata, family: string): void;
}

/** What became of a batch, in numbers. */
export interface WriteCounts {
  /** Stored, known duplicates included. */
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  readonly refusedCounts: ReadonlyMap<AppendOutcome, number>;
}

/** Takes batches of series that a writer knows already. */
export interface SeriesWriter {
  /**
   * Lets `apply` append in one turn of the event loop, and resolves with its answer when the log has what it appended.
   * Rejects with `unavailable` when the log cannot be written, with `rate_limited` when it is too much; before `apply` is
   * called unless the log failed under it. What `apply` throws is thrown after what it had appended is logged.
   */
  write<T extends WriteCounts>(apply: (target: SeriesTarget) => T): Promise<T>;
}
