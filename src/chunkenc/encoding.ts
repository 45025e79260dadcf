/** Prometheus' chunk encodings, and Thanos' for downsampled data: the byte before a chunk's payload on disk. */
export const ChunkEncoding = {
  none: 0,
  xor: 1,
  histogram: 2,
  floatHistogram: 3,
  /** Floats, and those of the next two histograms, with start timestamps: written by Prometheus 3 when told to. */
  xor2: 4,
  histogramST: 5,
  floatHistogramST: 6,
  aggregate: 255,
} as const;

export type ChunkEncoding = (typeof ChunkEncoding)[keyof typeof ChunkEncoding];

/** Whether chunks of this encoding hold floats. */
export function isFloatEncoding(encoding: number): boolean {
  return encoding === ChunkEncoding.xor || encoding === ChunkEncoding.xor2;
}

/** Whether chunks of this encoding hold native histograms. */
export function isHistogramEncoding(encoding: number): boolean {
  return (
    encoding === ChunkEncoding.histogram ||
    encoding === ChunkEncoding.floatHistogram ||
    encoding === ChunkEncoding.histogramST ||
    encoding === ChunkEncoding.floatHistogramST
  );
}

/** Whether chunks of this encoding can hold start timestamps, which readers of older formats do not know. */
export function holdsStartTimes(encoding: number): boolean {
  return encoding >= ChunkEncoding.xor2 && encoding <= ChunkEncoding.floatHistogramST;
}
