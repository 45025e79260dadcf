import { visitLabels } from '../../encoding/label-bytes.ts';
import type { Matcher } from '../../model/matcher.ts';
import { type HeadIndex, utf8 } from './head-index.ts';
import type { MatchedValues } from './matched-values.ts';
import { SLICE_WORK, type Sliced } from './slices.ts';
import { SlotSet } from './slot-set.ts';

/** Candidates up to this many are checked by reading their labels; more by lists. */
const READ_LABELS_MAX = 2_048;

/**
 * The slots of the series that all matchers select, each once, in no order; a fresh array.
 *
 * One matcher that needs the label gives the candidates (a union of lists of one label never holds a slot twice).
 * The others then thin them out: few candidates by reading their labels, many by their lists as bits. A matcher
 * that accepts the empty value selects series without the label, so it removes those with a value it refuses.
 */
export function* selectSlots(
  index: HeadIndex,
  matched: MatchedValues,
  matchers: readonly Matcher[],
): Sliced<Uint32Array> {
  const choices: Choice[] = [];
  for (const matcher of mayStart(matchers))
    choices.push({ matcher, hits: yield* hitsOf(index, matched, matcher) });
  const base = cheapest(index, choices);
  let slots = base === undefined ? index.all().slice() : unionOf(index, listed(index, base, true));
  const byLabels: Matcher[] = [];
  for (const matcher of matchers) {
    if (slots.length === 0) return slots;
    if (matcher === base?.matcher) continue;
    if (slots.length <= READ_LABELS_MAX && !isInShortList(index, matcher, slots.length))
      byLabels.push(matcher);
    else slots = filterByLists(index, { matcher, hits: yield* hitsOf(index, matched, matcher) }, slots);
  }
  return byLabels.length === 0 ? slots : yield* filterByLabels(index, byLabels, slots);
}

/** Whether the list of the one value that a matcher accepts is read sooner than the labels of so many candidates. */
function isInShortList(index: HeadIndex, { type, name, value }: Matcher, candidates: number): boolean {
  if (type !== '=' || value === '') return false;
  const listed = countOf(index, found(index.values(name) ?? NO_VALUES, new Set([value])));
  return listed + index.slotMax / SLOTS_PER_ENTRY < candidates * ENTRIES_PER_CANDIDATE;
}

/** Clearing the bits of so many slots takes as long as reading one entry of a list; reading labels, as so many entries. */
const SLOTS_PER_ENTRY = 64;
const ENTRIES_PER_CANDIDATE = 32;
const NO_VALUES: ReadonlyMap<string, number> = new Map();

/** A matcher and the values it accepts; undefined when these are all, or all but one (`!=`). */
interface Choice {
  readonly matcher: Matcher;
  readonly hits: ReadonlySet<string> | undefined;
}

/** The matchers that can give candidates; values are enumerated only when no matcher names them. */
function mayStart(matchers: readonly Matcher[]): readonly Matcher[] {
  const needing = matchers.filter((matcher) => !matcher.matchesEmpty);
  const named = needing.filter((matcher) => matcher.setMatches !== undefined);
  return named.length > 0 ? named : needing;
}

/** The only place that yields before lists are read: ids of lists may change owner whenever the loop turns. */
function* hitsOf(
  index: HeadIndex,
  matched: MatchedValues,
  matcher: Matcher,
): Sliced<ReadonlySet<string> | undefined> {
  if (acceptsEveryValue(matcher) || matcher.type === '!=') return undefined;
  if (matcher.setMatches !== undefined) return new Set(matcher.setMatches);
  return yield* matched.of(index, matcher);
}

function cheapest(index: HeadIndex, choices: readonly Choice[]): Choice | undefined {
  let best: Choice | undefined;
  let bestCount = Number.POSITIVE_INFINITY;
  for (const choice of choices) {
    const count = countOf(index, listed(index, choice, true));
    if (count < bestCount) {
      best = choice;
      bestCount = count;
    }
  }
  return best;
}

/** The index entries of the values that a matcher accepts, or of those it refuses. */
function listed(index: HeadIndex, { matcher, hits }: Choice, accepted: boolean): number[] {
  const values = index.values(matcher.name);
  if (values === undefined) return [];
  if (hits !== undefined) return accepted ? found(values, hits) : others(values, (value) => hits.has(value));
  if (acceptsEveryValue(matcher)) return accepted ? [...values.values()] : [];
  return accepted
    ? others(values, (value) => value === matcher.value)
    : found(values, new Set([matcher.value]));
}

function found(values: ReadonlyMap<string, number>, wanted: ReadonlySet<string>): number[] {
  const postings: number[] = [];
  for (const value of wanted) {
    const entry = values.get(value);
    if (entry !== undefined) postings.push(entry);
  }
  return postings;
}

function others(values: ReadonlyMap<string, number>, unwanted: (value: string) => boolean): number[] {
  const postings: number[] = [];
  for (const [value, entry] of values) if (!unwanted(value)) postings.push(entry);
  return postings;
}

/** `.+` and `!=""` need no look at the values. */
function acceptsEveryValue({ type, value }: Matcher): boolean {
  return type === '!=' ? value === '' : type === '=~' && (value === '.+' || value === '.*');
}

function countOf(index: HeadIndex, postings: readonly number[]): number {
  let count = 0;
  for (const entry of postings) count += index.countOf(entry);
  return count;
}

function unionOf(index: HeadIndex, postings: readonly number[]): Uint32Array {
  const slots = new Uint32Array(countOf(index, postings));
  let at = 0;
  for (const entry of postings) at = index.copyPostings(entry, slots, at);
  return slots;
}

function filterByLists(index: HeadIndex, choice: Choice, slots: Uint32Array): Uint32Array {
  const keepListed = !choice.matcher.matchesEmpty;
  const set = new SlotSet(index.slotMax);
  set.addAll(unionOf(index, listed(index, choice, keepListed)));
  let kept = 0;
  for (let i = 0; i < slots.length; i++) if (set.has(slots[i]) === keepListed) slots[kept++] = slots[i];
  return slots.slice(0, kept);
}

function* filterByLabels(
  index: HeadIndex,
  matchers: readonly Matcher[],
  slots: Uint32Array,
): Sliced<Uint32Array> {
  const checks = matchers.map((matcher) => new LabelCheck(matcher));
  let kept = 0;
  for (let i = 0; i < slots.length; i++) {
    if (selectsAll(checks, index.labelBytesOf(slots[i]))) slots[kept++] = slots[i];
    if (i % (SLICE_WORK / 16) === SLICE_WORK / 16 - 1) yield;
  }
  return slots.slice(0, kept);
}

function selectsAll(checks: readonly LabelCheck[], bytes: Uint8Array): boolean {
  for (const check of checks) {
    if (!check.mayAccept(bytes)) return false;
    check.value = '';
    const { name } = check;
    visitLabels(bytes, 0, bytes.length, (nameStart, nameEnd, valueStart, valueEnd) => {
      if (equalBytes(bytes, nameStart, nameEnd, name)) check.value = utf8(bytes, valueStart, valueEnd);
    });
    if (!check.accepts()) return false;
  }
  return true;
}

/** One matcher with the verdicts it has given, since candidates share values. */
class LabelCheck {
  readonly name: Uint8Array;
  value = '';
  readonly #matcher: Matcher;
  /** The value as it stands in label bytes, for a label that must have exactly this one. */
  readonly #needle: Buffer | undefined;
  readonly #verdicts = new Map<string, boolean>();

  constructor(matcher: Matcher) {
    this.#matcher = matcher;
    this.name = new TextEncoder().encode(matcher.name);
    if (matcher.type === '=' && matcher.value !== '') this.#needle = Buffer.from(matcher.value);
  }

  /** Most candidates do not even have the bytes of the value. */
  mayAccept(bytes: Uint8Array): boolean {
    if (this.#needle === undefined) return true;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(this.#needle);
  }

  accepts(): boolean {
    let verdict = this.#verdicts.get(this.value);
    if (verdict === undefined) this.#verdicts.set(this.value, (verdict = this.#matcher.matches(this.value)));
    return verdict;
  }
}

function equalBytes(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let i = 0; i < other.length; i++) if (bytes[start + i] !== other[i]) return false;
  return true;
}
