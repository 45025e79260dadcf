import type { Labels } from '../../model/labels.ts';
import type { AppendOutcome } from '../../storage/appender.ts';

/** Refused items that are told with their labels; the others are counted only. */
export const REFUSED_TOLD_MAX = 10;

/** One sample, histogram or exemplar that was not stored. */
export interface Refused {
  readonly outcome: AppendOutcome;
  readonly labels: Labels;
  /** ms; of the first sample when a whole series was refused. */
  readonly t: number;
  /** In Prometheus' words, e.g. `out of order sample`. */
  readonly reason: string;
}

/** What became of a write request. What is not `refused` is stored and in the log. */
export interface WriteResult {
  /** Stored, known duplicates included. */
  samples: number;
  histograms: number;
  exemplars: number;
  /** How many were refused, by outcome. */
  readonly refusedCounts: Map<AppendOutcome, number>;
  /** The first few of them. */
  readonly refused: Refused[];
}

export function emptyResult(): WriteResult {
  return { samples: 0, histograms: 0, exemplars: 0, refusedCounts: new Map(), refused: [] };
}

/** Counts `count` refused items and keeps the first few; `labels` is asked only for those. */
export function refuse(
  result: WriteResult,
  outcome: AppendOutcome,
  labels: () => Labels,
  t: number,
  count = 1,
  reason = REASONS[outcome],
): void {
  if (count === 0) return;
  result.refusedCounts.set(outcome, (result.refusedCounts.get(outcome) ?? 0) + count);
  if (result.refused.length < REFUSED_TOLD_MAX) result.refused.push({ outcome, labels: labels(), t, reason });
}

/** An exemplar that is out of order or too long is dropped and counted; as in Prometheus it is no fault of the write. */
export function countRefusedExemplar(result: WriteResult): void {
  result.refusedCounts.set('invalid_exemplar', (result.refusedCounts.get('invalid_exemplar') ?? 0) + 1);
}

/** Prometheus' words for each outcome. */
const REASONS: Readonly<Record<AppendOutcome, string>> = {
  ok: 'ok',
  duplicate: 'duplicate',
  out_of_order: 'out of order sample',
  too_old: 'too old sample',
  out_of_bounds: 'out of bounds',
  duplicate_value: 'duplicate sample for timestamp',
  too_far_future: 'too far in future',
  series_limit: 'per-tenant series limit exceeded',
  invalid_labels: 'invalid labels',
  invalid_histogram: 'invalid histogram',
  invalid_exemplar: 'invalid exemplar',
};
