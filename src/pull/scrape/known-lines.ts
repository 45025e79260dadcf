import type { Labels } from '../../model/labels.ts';
import type { Metadata, MetricType } from '../../model/metadata.ts';
import type { SeriesTarget } from '../../storage/series-writer.ts';

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

/** Lines kept beyond twice as many as at the last success: a target that fails with ever new series is forgotten. */
const GROWTH_MAX = 1000;
/** Metadata stay for so many iterations after their family. */
const METADATA_KEPT = 10;

/**
 * What one target exposed lately, line by line, so that a line that comes again costs a comparison of bytes: each line
 * remembers which one came next. Also which series would become stale by their absence.
 */
export class KnownLines {
  readonly #lines = new Map<string, KnownLine>();
  readonly families = new Map<string, FamilyMetadata>();
  /** Stands before the first line. */
  readonly first = new KnownLine('', false);
  iteration = 1;
  /** Distinct lines seen in this iteration. */
  #seenCount = 0;
  #successCount = 0;
  #previous: KnownLine[] = [];
  #current: KnownLine[] = [];
  #generation = -1;

  get size(): number {
    return this.#lines.size;
  }

  find(key: string): KnownLine | undefined {
    return this.#lines.get(key);
  }

  add(line: KnownLine): void {
    this.#lines.set(line.key, line);
  }

  /** Notes that a line is there; whether it was in this iteration already. */
  see(line: KnownLine): boolean {
    if (line.seen === this.iteration) return true;
    line.seen = this.iteration;
    this.#seenCount++;
    return false;
  }

  /** The absence of the series in the next iteration makes it stale. */
  track(line: KnownLine): void {
    if (line.tracked === this.iteration) return;
    line.tracked = this.iteration;
    this.#current.push(line);
  }

  /** Forgets where series were that the storage has given up since the last call. */
  verify(target: SeriesTarget): void {
    if (target.generation === this.#generation) return;
    this.#generation = target.generation;
    for (const line of this.#lines.values())
      if (line.slot !== 0 && !target.holds(line.slot, line.ref)) line.slot = 0;
    for (const line of this.#previous)
      if (line.slot !== 0 && !target.holds(line.slot, line.ref)) line.slot = 0;
  }

  /** Series that were tracked in the last iteration and are not in this one. */
  stale(): KnownLine[] {
    const { iteration } = this;
    const missing = this.#previous.filter((line) => line.tracked !== iteration && line.slot !== 0);
    if (missing.length === 0) return missing;
    // The same series may be there under another text.
    const present = new Set(this.#current.map((line) => line.slot));
    return missing.filter((line) => !present.has(line.slot));
  }

  /** Ends an iteration; after one that succeeded, lines that were not in it are forgotten. */
  endIteration(succeeded: boolean): void {
    const count = this.#lines.size + this.families.size;
    if (succeeded) this.#successCount = count;
    if (succeeded || count > 2 * this.#successCount + GROWTH_MAX) this.#forgetUnseen();
    this.#previous = this.#current;
    this.#current = [];
    this.#seenCount = 0;
    this.iteration++;
  }

  #forgetUnseen(): void {
    const { iteration } = this;
    if (this.#seenCount < this.#lines.size)
      for (const line of this.#lines.values()) {
        if (line.seen === iteration) continue;
        this.#lines.delete(line.key);
        line.isForgotten = true;
        line.next = undefined;
      }
    for (const family of this.families.values())
      if (iteration - family.seen > METADATA_KEPT) this.families.delete(family.family);
  }

  /** What is known of a family now, changed by `change`. */
  setMetadata(name: string, change: Partial<Metadata>): FamilyMetadata {
    let family = this.families.get(name);
    if (family === undefined) {
      family = { family: name, metadata: NOTHING_KNOWN, seen: 0, line: undefined, isStored: false };
      this.families.set(name, family);
    }
    const known = family.metadata;
    const metadata = { ...known, ...change };
    if (metadata.type !== known.type || metadata.help !== known.help || metadata.unit !== known.unit) {
      family.metadata = metadata;
      family.isStored = false;
    }
    family.seen = this.iteration;
    return family;
  }
}

const NOTHING_KNOWN: Metadata = { type: 'unknown', help: '', unit: '' };
