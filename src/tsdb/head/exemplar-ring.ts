import { EXEMPLAR_LABELS_LENGTH_MAX, type Exemplar } from '../../model/exemplar.ts';

export const EXEMPLARS_MAX_DEFAULT = 100_000;

/** `duplicate`: the newest one of the series again; counts as stored. */
export type ExemplarOutcome = 'ok' | 'duplicate' | 'out_of_order' | 'invalid_exemplar';

interface Entry {
  readonly slot: number;
  readonly exemplar: Exemplar;
}

/**
 * The newest exemplars of all series of a tenant, a bounded ring: when it is full the oldest makes room. Prometheus'
 * rules: labels of at most 128 characters, and per series in order of time.
 */
export class ExemplarRing {
  #max: number;
  #ring: (Entry | undefined)[] = [];
  #next = 0;
  /** Per series its entries, oldest first. */
  readonly #bySlot = new Map<number, Exemplar[]>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Keeps at most `max` from now on: the newest of those there are. */
  resize(max: number): void {
    if (max === this.#max) return;
    const byAge = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    const entries = byAge.filter((entry) => entry !== undefined && this.#has(entry)) as Entry[];
    this.#max = max;
    this.#ring = [];
    this.#next = 0;
    this.#bySlot.clear();
    for (const { slot, exemplar } of max === 0 ? [] : entries.slice(-max)) this.add(slot, exemplar);
  }

  #has({ slot, exemplar }: Entry): boolean {
    return this.#bySlot.get(slot)?.includes(exemplar) ?? false;
  }

  check(slot: number, exemplar: Exemplar): ExemplarOutcome {
    let length = 0;
    for (const text of exemplar.labels.flat) length += [...text].length;
    if (length > EXEMPLAR_LABELS_LENGTH_MAX) return 'invalid_exemplar';
    const newest = this.#bySlot.get(slot)?.at(-1);
    if (newest === undefined) return 'ok';
    if (isSame(newest, exemplar)) return 'duplicate';
    return isBefore(exemplar, newest) ? 'out_of_order' : 'ok';
  }

  /** Keeps it, if `check` allows and the ring has any room. */
  add(slot: number, exemplar: Exemplar): ExemplarOutcome {
    const outcome = this.check(slot, exemplar);
    if (outcome !== 'ok' || this.#max === 0) return outcome;
    this.#dropAt(this.#next);
    this.#ring[this.#next] = { slot, exemplar };
    this.#next = (this.#next + 1) % this.#max;
    const known = this.#bySlot.get(slot);
    if (known === undefined) this.#bySlot.set(slot, [exemplar]);
    else known.push(exemplar);
    return 'ok';
  }

  /** The exemplars of a series between mint and maxt (inclusive), in order of time. */
  of(slot: number, mint: number, maxt: number): Exemplar[] {
    return (this.#bySlot.get(slot) ?? []).filter(({ t }) => t >= mint && t <= maxt);
  }

  slots(): IterableIterator<number> {
    return this.#bySlot.keys();
  }

  /** Forgets the exemplars of a series that is collected. */
  removeSlot(slot: number): void {
    // Its entries in the ring are found orphaned when their turn comes.
    this.#bySlot.delete(slot);
  }

  #dropAt(at: number): void {
    const entry = this.#ring[at];
    if (entry === undefined) return;
    const known = this.#bySlot.get(entry.slot);
    if (known === undefined || known[0] !== entry.exemplar) return;
    known.shift();
    if (known.length === 0) this.#bySlot.delete(entry.slot);
  }
}

function isSame(a: Exemplar, b: Exemplar): boolean {
  if (!a.labels.equals(b.labels) || !Object.is(a.value, b.value)) return false;
  // Without a time of its own an exemplar is told apart by labels and value only.
  return a.t === b.t || !a.hasTimestamp || !b.hasTimestamp;
}

/** Prometheus orders exemplars of one time by value, then by labels. */
function isBefore(a: Exemplar, b: Exemplar): boolean {
  if (a.t !== b.t) return a.t < b.t;
  if (a.value !== b.value) return a.value < b.value;
  return a.labels.key() < b.labels.key();
}
