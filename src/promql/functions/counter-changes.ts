import { detectReset } from '../../model/histogram-reset.ts';
import { equalHistograms } from '../../model/histogram-shape.ts';
import { startsAnew } from './start-time.ts';
import type { Window, WindowFunction } from './window.ts';
import { firstIndex } from './window-ends.ts';

/** `changes`: how often a sample differs from the one before it; a change between float and histogram counts. */
export function changes(anchored: boolean): WindowFunction {
  return (w) =>
    count(
      w,
      anchored,
      ({ floats }, i) =>
        floats[i] !== floats[i - 1] && !(Number.isNaN(floats[i]) && Number.isNaN(floats[i - 1])),
      ({ histograms }, i) => !equalHistograms(histograms[i], histograms[i - 1]),
    );
}

/**
 * `resets`: how often the value falls, or the counter began anew by its start timestamp; a change between float and
 * histogram counts.
 */
export function resets(anchored: boolean): WindowFunction {
  return (w) =>
    count(
      w,
      anchored,
      ({ floats, floatTimes, floatStarts }, i) =>
        floats[i] < floats[i - 1] || startsAnew(floatTimes, floatStarts, i),
      ({ histograms, histogramTimes, histogramStarts }, i) =>
        startsAnew(histogramTimes, histogramStarts, i) || detectReset(histograms[i], histograms[i - 1]),
    );
}

/** Whether something happens between samples `i - 1` and `i` of one kind. */
type Event = (w: Window, i: number) => boolean;

function count(w: Window, anchored: boolean, floatEvent: Event, histogramEvent: Event): 0 | 1 {
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
  let previous: 'none' | 'float' | 'histogram' = 'none';
  while (f < w.f1 || h < w.h1) {
    const isFloat = h >= w.h1 || (f < w.f1 && w.floatTimes[f] < w.histogramTimes[h]);
    const kind = isFloat ? 'float' : 'histogram';
    const differs = previous === kind ? (isFloat ? floatEvent(w, f) : histogramEvent(w, h)) : true;
    if (previous !== 'none' && differs) events++;
    previous = kind;
    if (isFloat) f++;
    else h++;
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
