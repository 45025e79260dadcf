import type { Exemplar } from '../model/exemplar.ts';
import type { AnyHistogram } from '../model/histogram.ts';
import type { Metadata } from '../model/metadata.ts';

/** A float sample as it travels. `startT` is the time its counter began, ms; 0 when not said. */
export interface WireSample {
  readonly t: number;
  readonly v: number;
  readonly startT: number;
}

/** A native histogram as it travels. Whether its spans and counts make sense was not looked at. */
export interface WireHistogram {
  readonly t: number;
  readonly histogram: AnyHistogram;
  readonly startT: number;
}

/** One TimeSeries message of remote write (1.0 or 2.0) or remote read. Nothing in it was judged. */
export interface TimeSeries {
  /** name, value, name, value … in the order sent; may be unsorted, doubled or empty. */
  readonly labels: readonly string[];
  readonly samples: readonly WireSample[];
  readonly histograms: readonly WireHistogram[];
  readonly exemplars: readonly Exemplar[];
  /** Remote write 2.0 only. */
  readonly metadata?: Metadata;
}

/** Metadata of a metric family, which remote write 1.0 sends beside the series. */
export interface FamilyMetadata {
  readonly family: string;
  readonly metadata: Metadata;
}
