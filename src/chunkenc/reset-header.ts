/** The header of a histogram chunk, top two bits: how its first sample relates to the chunk before. */
export const ResetHeader = {
  /** Whether a counter was reset in between must be found out by comparing. */
  unknown: 0,
  notReset: 0x40,
  reset: 0x80,
  gauge: 0xc0,
} as const;

export type ResetHeader = (typeof ResetHeader)[keyof typeof ResetHeader];
