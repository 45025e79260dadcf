/** The first byte of every record. Others (of newer versions) are skipped by readers, and counted. */
export const RecordType = {
  series: 1,
  samples: 2,
  tombstones: 3,
  exemplars: 4,
  /** Only in the log of out-of-order samples: up to here, samples of these series are in `chunks_head/`. */
  mmapMarkers: 5,
  metadata: 6,
  histograms: 7,
  floatHistograms: 8,
  /** As 7 and 8, with custom bucket bounds; Prometheus 3 keeps them apart from the others. */
  customHistograms: 9,
  customFloatHistograms: 10,
  /** As 2, 7 and 9, 8 and 10, with start timestamps (Prometheus 3, `st-storage`). */
  samplesST: 11,
  histogramsST: 12,
  floatHistogramsST: 13,
} as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** Those of native histograms, of all kinds. */
export const HISTOGRAM_RECORDS: ReadonlySet<RecordType> = new Set([
  RecordType.histograms,
  RecordType.floatHistograms,
  RecordType.customHistograms,
  RecordType.customFloatHistograms,
  RecordType.histogramsST,
  RecordType.floatHistogramsST,
]);

const KNOWN: ReadonlySet<number> = new Set(Object.values(RecordType));

/** The type of a record; undefined when it is unknown or empty. */
export function recordType(record: Uint8Array): RecordType | undefined {
  return record.length > 0 && KNOWN.has(record[0]) ? (record[0] as RecordType) : undefined;
}
