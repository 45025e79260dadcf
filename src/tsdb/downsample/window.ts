/** Thanos' resolutions, ms. */
export const FIVE_MINUTES_MS = 300_000;
export const ONE_HOUR_MS = 3_600_000;

/** The last millisecond of the window of `resolutionMs` that `t` is in. */
export function windowEnd(t: number, resolutionMs: number): number {
  return Math.floor(t / resolutionMs) * resolutionMs + resolutionMs - 1;
}

/** Windows that a chunk has on average at most. */
const WINDOWS_PER_CHUNK = 140;

/** Into how many chunks Thanos cuts `count` samples at a distance of `inMs` from mint to maxt (ms, inclusive). */
export function chunkCount(mint: number, maxt: number, inMs: number, outMs: number, count: number): number {
  const windows = Math.trunc((maxt - mint) / outMs);
  const full = maxt > mint ? Math.min(1, count / ((maxt - mint) / inMs)) : 1;
  const expected = Math.trunc(windows * full) + 1;
  let chunks = 1;
  while (Math.trunc(expected / chunks) > WINDOWS_PER_CHUNK) chunks++;
  return chunks;
}
