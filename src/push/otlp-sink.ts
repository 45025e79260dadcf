import { VeronaError } from '../model/errors.ts';
import type { Exemplar } from '../model/exemplar.ts';
import type { Histogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Metadata } from '../model/metadata.ts';
import type { Appender, AppendOutcome } from '../storage/appender.ts';
import { quotedSeries } from './push-response.ts';
import type { LimitPolicy } from './series-policy.ts';
import type { WriteResult } from './tenant-db.ts';

/** Reasons that are told in an answer; the rest is counted. */
const REASONS_TOLD_MAX = 10;

/** Prometheus' words for what an appender refuses. */
const WORDS: Partial<Record<AppendOutcome, string>> = {
  out_of_order: 'out of order sample',
  too_old: 'too old sample',
  out_of_bounds: 'out of bounds',
  duplicate_value: 'duplicate sample for timestamp',
  too_far_future: 'too far in the future',
  invalid_histogram: 'histogram is invalid',
};

/** Takes the samples of one OTLP request into an appender and keeps count, in samples for metrics and in points for the sender. */
export class OtlpSink {
  readonly #appender: Appender;
  readonly #policy: LimitPolicy;
  readonly #refusedCounts = new Map<AppendOutcome, number>();
  readonly #reasons = new Set<string>();
  #samples = 0;
  #histograms = 0;
  #exemplars = 0;
  #pointRefused = false;
  /** Data points seen, and those of which something was refused. */
  points = 0;
  rejectedPoints = 0;

  constructor(appender: Appender, policy: LimitPolicy) {
    this.#appender = appender;
    this.#policy = policy;
  }

  get result(): WriteResult {
    return {
      samples: this.#samples,
      histograms: this.#histograms,
      exemplars: this.#exemplars,
      refusedCounts: this.#refusedCounts,
      refused: [],
    };
  }

  /** The first few different reasons. */
  get reasons(): readonly string[] {
    return [...this.#reasons];
  }

  /** Runs `add`, which gives the samples of one data point; one that cannot be translated is rejected. */
  point(add: () => void): void {
    this.points++;
    this.#pointRefused = false;
    try {
      add();
    } catch (error) {
      if (!(error instanceof VeronaError) || error.code !== 'bad_data') throw error;
      this.#pointRefused = true;
      this.#tell(error.message);
    }
    if (this.#pointRefused) this.rejectedPoints++;
  }

  /** Data points that were not even tried. */
  reject(reason: string, points: number): void {
    this.points += points;
    this.rejectedPoints += points;
    this.#tell(reason);
  }

  float(labels: Labels, t: number, v: number, startT: number): void {
    if (this.#took(this.#appender.append(labels, t, v, startT), labels, t)) this.#samples++;
  }

  histogram(labels: Labels, t: number, histogram: Histogram, startT: number): void {
    if (this.#took(this.#appender.appendHistogram(labels, t, histogram, startT), labels, t))
      this.#histograms++;
  }

  /** An exemplar that is refused costs no data point: it stands beside the samples. */
  exemplar(labels: Labels, exemplar: Exemplar): void {
    const outcome = this.#appender.appendExemplar(labels, exemplar);
    if (outcome === 'ok') this.#exemplars++;
    else if (outcome !== 'duplicate') this.#count('invalid_exemplar');
  }

  /** Several requests say the same of a resource, in any order; what comes late is not worth a word. */
  targetInfo(labels: Labels, t: number): void {
    if (this.#appender.append(labels, t, 1) === 'ok') this.#samples++;
  }

  metadata(labels: Labels, metadata: Metadata, family: string): void {
    this.#appender.setMetadata(labels, metadata, family);
  }

  #took(outcome: AppendOutcome, labels: Labels, t: number): boolean {
    if (outcome === 'ok' || outcome === 'duplicate') return true;
    this.#count(outcome);
    this.#pointRefused = true;
    const words = WORDS[outcome] ?? this.#policy.lastReason;
    if (this.#reasons.size < REASONS_TOLD_MAX) this.#tell(`${words}: ${quotedSeries(labels, t)}`);
    return false;
  }

  #count(outcome: AppendOutcome): void {
    this.#refusedCounts.set(outcome, (this.#refusedCounts.get(outcome) ?? 0) + 1);
  }

  #tell(reason: string): void {
    if (this.#reasons.size < REASONS_TOLD_MAX) this.#reasons.add(reason);
  }
}
