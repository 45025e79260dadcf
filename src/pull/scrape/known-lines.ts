import type { Metadata } from '../../model/metadata.ts';
import type { SeriesTarget } from '../../storage/series-writer.ts';
import { FrozenLines } from './frozen-lines.ts';
import { type FamilyMetadata, KnownLine } from './known-line.ts';

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
  #frozen: FrozenLines | undefined;

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

  /** What all lines are while the target exposes the same ones: an iteration that finds just these need not be told of. */
  get frozen(): FrozenLines | undefined {
    return this.#frozen;
  }

  /** After an iteration that succeeded, in which `body` had no other lines than `count` of the last time, in their order. */
  freeze(body: Uint8Array, contentType: string, count: number): void {
    const lines: KnownLine[] = [];
    for (let line = this.first.next; line !== undefined && lines.length < count; line = line.next)
      lines.push(line);
    this.#frozen = FrozenLines.of(body, contentType, lines);
    this.#lines.clear();
    this.first.next = undefined;
    this.#previous = [];
    for (const family of this.families.values()) family.line = undefined;
  }

  /** Makes lines of what was frozen, as they were after the last iteration; these are its series, in their order. */
  thaw(): readonly KnownLine[] {
    if (this.#frozen === undefined) return [];
    const lines = this.#frozen.thaw(this.iteration - 1);
    this.#frozen = undefined;
    for (const line of lines) this.add(line);
    this.#previous = lines.filter(({ isDropped }) => !isDropped);
    return lines;
  }

  /** Forgets where series were that the storage has given up since the last call. */
  verify(target: SeriesTarget): void {
    if (target.generation === this.#generation) return;
    this.#generation = target.generation;
    if (this.#frozen?.areHeldBy(target)) return;
    this.thaw();
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
