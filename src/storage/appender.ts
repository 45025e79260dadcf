import type { Exemplar } from '../model/exemplar.ts';
import type { AnyHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Metadata } from '../model/metadata.ts';

/**
 * What became of one sample. `duplicate` (same time, same value) counts as stored; the rest were refused, by
 * Prometheus' rules: older than the newest sample of the series without (`out_of_order`) or beyond (`too_old`)
 * an out-of-order window, before the head's oldest valid time (`out_of_bounds`), another value for a known
 * time (`duplicate_value`), too far ahead (`too_far_future`), or a limit or a malformed label set or histogram.
 */
export type AppendOutcome =
  | 'ok'
  | 'duplicate'
  | 'out_of_order'
  | 'too_old'
  | 'out_of_bounds'
  | 'duplicate_value'
  | 'too_far_future'
  | 'series_limit'
  | 'invalid_labels'
  | 'invalid_histogram'
  | 'invalid_exemplar';

/**
 * A batch of writes to one tenant. Nothing is readable or durable before `commit` resolves; then everything
 * that was `ok` is both. Not shared between callers.
 */
export interface Appender {
  append(labels: Labels, t: number, v: number, startT?: number): AppendOutcome;
  appendHistogram(labels: Labels, t: number, histogram: AnyHistogram, startT?: number): AppendOutcome;
  appendExemplar(labels: Labels, exemplar: Exemplar): AppendOutcome;
  /** `family` is the metric family when it is known; else it follows from the name and the type. */
  setMetadata(labels: Labels, metadata: Metadata, family?: string): void;
  /** Resolves when the write-ahead log has it. Rejects with `unavailable` when the log cannot be written; then nothing was acknowledged. */
  commit(): Promise<void>;
  rollback(): void;
}
