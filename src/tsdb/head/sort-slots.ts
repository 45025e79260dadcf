import { compareLabelBytes } from '../../storage/compare-label-bytes.ts';
import type { LabelSource } from './head-index.ts';
import { SLICE_WORK, type Sliced } from './slices.ts';

/** Slots sorted by the head's memory in one go. */
const RUN_LENGTH = 4_096;

export interface SlotSorter extends LabelSource {
  sortByLabels(slots: Uint32Array): void;
}

/** Orders slots by label set in bounded slices: sorted runs, then one merge of all of them. */
export function* sortSlots(sorter: SlotSorter, slots: Uint32Array): Sliced<Uint32Array> {
  const runs: Uint32Array[] = [];
  for (let at = 0; at < slots.length; at += RUN_LENGTH) {
    const run = slots.slice(at, at + RUN_LENGTH);
    sorter.sortByLabels(run);
    runs.push(run);
    if (slots.length > RUN_LENGTH) yield;
  }
  while (runs.length > 1) {
    const [a, b] = runs.splice(0, 2);
    runs.push(yield* mergeRuns(sorter, a, b));
  }
  return runs[0] ?? new Uint32Array();
}

function* mergeRuns(sorter: SlotSorter, a: Uint32Array, b: Uint32Array): Sliced<Uint32Array> {
  const merged = new Uint32Array(a.length + b.length);
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const order = compareLabelBytes(sorter.labelBytesOf(a[i]), sorter.labelBytesOf(b[j]));
    merged[i + j] = order <= 0 ? a[i++] : b[j++];
    if ((i + j) % (SLICE_WORK / 4) === 0) yield;
  }
  merged.set(a.subarray(i), i + j);
  merged.set(b.subarray(j), i + j);
  return merged;
}
