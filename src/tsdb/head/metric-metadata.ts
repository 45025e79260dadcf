import type { Metadata } from '../../model/metadata.ts';

/** Families with metadata per tenant, and different metadata per family (sources may disagree). */
export const METADATA_FAMILIES_MAX = 8_000;
export const METADATA_PER_FAMILY_MAX = 10;
/** Characters of a name or unit; a longer help text is cut off there. */
export const METADATA_TEXT_MAX = 1024;

/**
 * What is known of metric families besides samples, newest first per family. Bounded: beyond the limit the family that
 * was told longest ago goes.
 */
export class MetricMetadata {
  /** In the order in which they were told last. */
  readonly #byFamily = new Map<string, Metadata[]>();
  /** Grows with every change. */
  revision = 0;

  /** False when it was known, or is too long to be kept. */
  set(family: string, sent: Metadata): boolean {
    if (family === '' || family.length > METADATA_TEXT_MAX || sent.unit.length > METADATA_TEXT_MAX)
      return false;
    const metadata =
      sent.help.length > METADATA_TEXT_MAX ? { ...sent, help: sent.help.slice(0, METADATA_TEXT_MAX) } : sent;
    const known = this.#byFamily.get(family) ?? [];
    const at = known.findIndex((other) => isSame(other, metadata));
    this.#byFamily.delete(family);
    this.#byFamily.set(family, known);
    if (at >= 0) known.splice(at, 1);
    known.unshift(metadata);
    if (at >= 0) return false;
    if (known.length > METADATA_PER_FAMILY_MAX) known.pop();
    if (this.#byFamily.size > METADATA_FAMILIES_MAX) this.#dropOldest();
    this.revision++;
    return true;
  }

  get(family: string): readonly Metadata[] {
    return this.#byFamily.get(family) ?? [];
  }

  entries(): IterableIterator<[string, readonly Metadata[]]> {
    return this.#byFamily.entries();
  }

  #dropOldest(): void {
    const [oldest] = this.#byFamily.keys();
    this.#byFamily.delete(oldest);
  }
}

function isSame(a: Metadata, b: Metadata): boolean {
  return a.type === b.type && a.unit === b.unit && a.help === b.help;
}
