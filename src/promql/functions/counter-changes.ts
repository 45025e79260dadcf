import { detectReset } from '../../model/histogram-reset.ts';
import { equalHistograms } from '../../model/histogram-shape.ts';
import type { Window, WindowFunction } from './window.ts';
import { firstIndex } from './window-ends.ts';

/** `changes`: how often a sample differs from the one before it; a change between float and histogram counts. */
export function changes(anchored: boolean): WindowFunction {
  return (w) =>
    count(
      w,
      anchored,
      (a, b) => a !== b && !(Number.isNaN(a) && Number.isNaN(b)),
      (a, b) => !equalHistograms(a, b),
    );
}

/** `resets`: how often the value falls; a change between float and histogram counts. */
export function resets(anchored: boolean): WindowFunction {
  return (w) =>
    count(
      w,
      anchored,
      (a, b) => b < a,
      (a, b) => detectReset(b, a),
    );
}

function count(
  w: Window,
  anchored: boolean,
  floatEvent: (previous: number, current: number) => boolean,
  histogramEvent: (previous: Window['histograms'][number], current: Window['histograms'][number]) => boolean,
): 0 | 1 {
  let f = w.f0;
  let h = w.h0;
  if (anchored) {
    const newest = Math.max(
      w.f1 > f ? w.floatTimes[w.f1 - 1] : -Infinity,
      w.h1 > h ? w.histogramTimes[w.h1 - 1] : -Infinity,
    );
    if (newest <= w.start) return 0;
    [f, h] = anchorIndexes(w);
  }
  let events = 0;
  let previousFloat: number | undefined;
  let previousHistogram: Window['histograms'][number] | undefined;
  while (f < w.f1 || h < w.h1) {
    if (h >= w.h1 || (f < w.f1 && w.floatTimes[f] < w.histogramTimes[h])) {
      const current = w.floats[f++];
      if (
        previousHistogram !== undefined ||
        (previousFloat !== undefined && floatEvent(previousFloat, current))
      )
        events++;
      previousFloat = current;
      previousHistogram = undefined;
    } else {
      const current = w.histograms[h++];
      if (
        previousFloat !== undefined ||
        (previousHistogram !== undefined && histogramEvent(previousHistogram, current))
      )
        events++;
      previousHistogram = current;
      previousFloat = undefined;
    }
  }
  w.value = events;
  return 1;
}

/** From the newest sample at or before the start of the window, of either kind. */
function anchorIndexes(w: Window): [number, number] {
  let f = firstIndex(w.floatTimes, w.f0, w.f1, w.start);
  let h = firstIndex(w.histogramTimes, w.h0, w.h1, w.start);
  const floatBefore = f < w.f1 && w.floatTimes[f] <= w.start;
  const histogramBefore = h < w.h1 && w.histogramTimes[h] <= w.start;
  if (floatBefore && histogramBefore) {
    if (w.floatTimes[f] < w.histogramTimes[h]) f++;
    else h++;
  }
  return [f, h];
}
