/** Prometheus' chunk encodings, and Thanos' for downsampled data: the byte before a chunk's payload on disk. */
export const ChunkEncoding = {
  none: 0,
  xor: 1,
  histogram: 2,
  floatHistogram: 3,
  aggregate: 255,
} as const;

export type ChunkEncoding = (typeof ChunkEncoding)[keyof typeof ChunkEncoding];
