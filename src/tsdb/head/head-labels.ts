import { visitLabels } from '../../encoding/label-bytes.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { ExemplarSeries, LabelRequest } from '../../storage/querier.ts';
import { sortedStrings, utf8 } from './head-index.ts';
import type { HeadStore } from './head-store.ts';
import { SLICE_WORK, type Sliced } from './slices.ts';

/** Names of labels of the series that match, sorted. The time range is not looked at: a head is short. */
export function* selectLabelNames({ table }: HeadStore, request: LabelRequest): Sliced<string[]> {
  if (request.matchers.length === 0) return limited(sortedStrings(table.index.names()), request.limit);
  const names = new Set<string>();
  const slots = yield* table.select(request.matchers);
  for (let i = 0; i < slots.length; i++) {
    const bytes = table.index.labelBytesOf(slots[i]);
    visitLabels(bytes, 0, bytes.length, (start, end) => names.add(utf8(bytes, start, end)));
    if (i % (SLICE_WORK / 16) === SLICE_WORK / 16 - 1) yield;
  }
  return limited(sortedStrings(names), request.limit);
}

/** Values of a label of the series that match, sorted. */
export function* selectLabelValues(
  { table }: HeadStore,
  name: string,
  request: LabelRequest,
): Sliced<string[]> {
  if (request.matchers.length === 0)
    return limited(sortedStrings(table.index.values(name)?.keys() ?? []), request.limit);
  const values = new Set<string>();
  const slots = yield* table.select(request.matchers);
  const nameBytes = new TextEncoder().encode(name);
  for (let i = 0; i < slots.length; i++) {
    const bytes = table.index.labelBytesOf(slots[i]);
    visitLabels(bytes, 0, bytes.length, (start, end, valueStart, valueEnd) => {
      if (end - start === nameBytes.length && nameBytes.every((byte, k) => bytes[start + k] === byte))
        values.add(utf8(bytes, valueStart, valueEnd));
    });
    if (i % (SLICE_WORK / 16) === SLICE_WORK / 16 - 1) yield;
  }
  return limited(sortedStrings(values), request.limit);
}

/** Names, or values, or series to look at, that are answered in one step: half a millisecond. */
const AT_ONCE_MAX = 1_000;

/** Names of labels, or the values of one, of the series that match, when they are few; undefined when they may not be. */
export function selectLabelsAtOnce(
  store: HeadStore,
  name: string | undefined,
  request: LabelRequest,
): string[] | undefined {
  const { index } = store.table;
  const isShort = name === undefined || (index.values(name)?.size ?? 0) <= AT_ONCE_MAX;
  const step = request.matchers.length === 0 && isShort ? labelsOf(store, name, request).next() : undefined;
  if (step !== undefined) return step.done ? step.value : undefined;
  if (request.matchers.length === 0) return undefined;
  const slots = store.table.select(request.matchers).next();
  if (!slots.done || slots.value.length > AT_ONCE_MAX) return undefined;
  const found = labelsOf(store, name, request).next();
  return found.done ? found.value : undefined;
}

function labelsOf(store: HeadStore, name: string | undefined, request: LabelRequest): Sliced<string[]> {
  return name === undefined ? selectLabelNames(store, request) : selectLabelValues(store, name, request);
}

/** Series with exemplars in mint … maxt (ms, inclusive) that match any of the sets. */
export function* selectExemplars(
  { table, exemplars }: HeadStore,
  matcherSets: readonly (readonly Matcher[])[],
  mint: number,
  maxt: number,
): Sliced<ExemplarSeries[]> {
  const found: ExemplarSeries[] = [];
  let work = 0;
  for (const slot of [...exemplars.slots()]) {
    const wanted = exemplars.of(slot, mint, maxt);
    if (wanted.length === 0) continue;
    const labels = table.labelsOf(slot);
    const matches = (matchers: readonly Matcher[]) => matchers.every((m) => m.matches(labels.get(m.name)));
    if (matcherSets.some(matches)) found.push({ labels, exemplars: wanted });
    if (++work % (SLICE_WORK / 64) === 0) yield;
  }
  return found;
}

function limited(sorted: string[], limit: number): string[] {
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}
