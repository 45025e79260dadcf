import type { Labels } from '../../model/labels.ts';
import type { Metadata, MetricType } from '../../model/metadata.ts';

/** What a target says of a metric family. */
export interface FamilyMetadata {
  readonly family: string;
  metadata: Metadata;
  /** The iteration it was seen in last. */
  seen: number;
  /** A series of it, under which the storage keeps this; and whether it has. */
  line: KnownLine | undefined;
  isStored: boolean;
}

/** A line that a target has exposed before: a series, or text about a family. One class, so that the way through a body stays fast. */
export class KnownLine {
  /** The series as exposed, or the whole text; one character per byte. */
  readonly key: string;
  readonly isSeries: boolean;
  /** What came after it the last time. */
  next: KnownLine | undefined;
  /** The iteration it was seen in last, and the one in which its absence would have made it stale. */
  seen = 0;
  tracked = 0;
  /** Where the storage has the series; 0 when it does not. */
  slot = 0;
  ref = 0;
  /** Relabelling dropped it. */
  isDropped = false;
  /** No longer in the memory of the target. */
  isForgotten = false;
  /** Until the storage has the series. */
  labels: Labels | undefined;
  /** Told once as a series that was added. */
  isCounted = false;
  /** Of text: what it is about, and the type it sets. */
  family: FamilyMetadata | undefined;
  type: MetricType | undefined;

  constructor(key: string, isSeries: boolean) {
    this.key = key;
    this.isSeries = isSeries;
  }
}
