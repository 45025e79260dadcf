import type { ByteParts } from '../encoding/byte-parts.ts';

/**
 * The memory of one head: label bytes, one 64-byte record per series, open chunks in 64-byte blocks, and
 * lists of closed chunks. `WasmHeadMemory` is the one that runs; `PlainHeadMemory` is its readable twin and oracle.
 *
 * A series has two numbers. Its *slot* addresses its record here and is reused once the series is collected.
 * Its *walRef* names it in the write-ahead log and in `chunks_head/`, only ever grows, and is never reused.
 * Both are ≥ 1; 0 means none. Times are ms; `t` fits a signed 53-bit integer.
 *
 * Views returned here (Uint8Array and the like) point into memory that moves: use them before the next call.
 */
export interface HeadMemory {
  readonly seriesCount: number;
  /** Bytes of memory held, by purpose; `total` is all of it. */
  memoryUse(): {
    total: number;
    labels: number;
    records: number;
    table: number;
    openChunks: number;
    closedLists: number;
  };

  // ── series ────────────────────────────────────────────────────────────────
  /** The slot of the series with these canonical label bytes; 0 when unknown. */
  find(labelBytes: Uint8Array): number;
  /**
   * Makes a series. The bytes are canonical (`encoding/label-bytes.ts`) and unknown so far. Throws `limit` beyond
   * `LABEL_BYTES_MAX`.
   */
  create(labelBytes: Uint8Array, walRef: number): number;
  labelBytesOf(slot: number): Uint8Array;
  walRefOf(slot: number): number;
  /** Time of the newest float sample ever known, forgotten ones included; -Infinity when there was none. */
  lastTimeOf(slot: number): number;
  /** Orders slots in place by label set, as `compareLabels`. */
  sortByLabels(slots: Uint32Array): void;
  /**
   * Marks a series whose samples TypeScript keeps (histograms, or a mix): every later sample for it in a write
   * request is reported as `rareSeries`; `append` refuses it. Its open float chunk is closed first.
   */
  setRare(slot: number, rare: boolean): void;
  isRare(slot: number): boolean;

  // ── appending ─────────────────────────────────────────────────────────────
  /** Samples before `minValidTime` or after `maxValidTime` (ms, inclusive bounds of what is valid) are refused. */
  setBounds(minValidTime: number, maxValidTime: number): void;
  /**
   * Appends one float sample in order and adds it to the samples record. Chunks are cut as in Prometheus, never
   * across a multiple of the chunk range, at most 240 samples, the end planned at a quarter of 120; but series do so at times
   * of their own (`planEnd` in `assembly/append.ts`).
   * Throws `unavailable` when memory is full; nothing is changed then.
   */
  append(slot: number, t: number, v: number): SampleOutcome;

  /**
   * Takes a snappy-compressed remote write 1.0 request and stands before its first TimeSeries.
   * Throws `bad_data` (malformed snappy, with the offset) or `too_large` (decodes to more than `decodedMax` bytes).
   */
  beginWrite(body: ByteParts, decodedMax: number): void;
  /**
   * The same for a remote write 2.0 request (labels through its symbol table). Metadata of a TimeSeries is pointed at
   * by `newSeries` only (`metadataStart`, `metadataEnd`); for a known series it is passed over.
   */
  beginWriteV2(body: ByteParts, decodedMax: number): void;
  /**
   * Appends samples of known series until something needs a decision, and says what. Call again after deciding;
   * `done` ends the request. What was appended before an event stays appended. A TimeSeries without samples,
   * histograms and exemplars is passed over. Throws `unavailable` when memory is full: the request ends there.
   */
  resume(): IngestEvent;
  /** Particulars of the last event; which fields are set is said at `IngestEvent`. One object, reused. */
  readonly event: IngestEventDetail;
  /**
   * After `newSeries`: this slot's samples follow (the new one, or that of the canonical form). 0, or no call, skips
   * the TimeSeries; a rare slot makes a `rareSeries` of it.
   */
  adopt(slot: number): void;
  /**
   * After `newSeries` with canonical labels: makes the series, as `create` does, and adopts it; its slot. The labels of
   * the event are not copied on the way. Throws `limit` beyond `LABEL_BYTES_MAX`.
   */
  adoptNew(walRef: number): number;
  /** The decoded request; `event.seriesStart … seriesEnd` are offsets into it. For 2.0 the symbols are in here too. */
  decoded(): Uint8Array;
  /** Samples of this request accepted, and how many of these were known already (same time and value). */
  readonly writeSamples: number;
  readonly writeDuplicates: number;

  // ── log ───────────────────────────────────────────────────────────────────
  /**
   * The samples appended since the last call as one Prometheus WAL samples record, type byte included; empty when none:
   * ┌─────────┬────────────┬──────────┬─────────────────┬──────────────┬────────────┬─────
   * │ type 2  │ ref 8B BE  │ t 8B BE  │ varint ref delta│ varint t del.│ value 8B BE│ … each relative to the first
   */
  takeSamplesRecord(): Uint8Array;
  /** From here on the log's `walRef` means this slot (replay only; several refs may mean one slot). */
  mapWalRef(walRef: number, slot: number): void;
  /** Forgets the map when replay is over. */
  endReplay(): void;
  /**
   * Applies a samples record without logging it. Counted, not applied: samples of unknown refs, of rare series, before
   * `minValidTime`, and at or before the newest sample (or closed chunk) of their series. Throws `corrupt` with the
   * offset in the record; what stands before it is applied. Chunks that fill up are closed: their bytes are to be taken.
   */
  replaySamples(record: Uint8Array): ReplayCounts;

  // ── chunks ────────────────────────────────────────────────────────────────
  /** The next closed chunk will be written to file `sequence` at byte `offset`; its ref is sequence·2³² + offset. */
  setChunkFilePosition(sequence: number, offset: number): void;
  /**
   * Bytes of the chunks closed since the last call, in the format of `chunks_head/`, in order, without gaps from the
   * announced position; empty when none. Refs stay inside one file: the caller announces a new one in time
   * (`closedBytesPending` says how much waits).
   */
  takeClosedChunks(): Uint8Array;
  readonly closedBytesPending: number;
  /**
   * Records a chunk known to be in `chunks_head/` (replay, or written by TypeScript), newest last. Samples of a series
   * that is not rare then have to be later than `maxt`; one at `maxt` counts as duplicate, its value being unknown. An
   * open chunk that is older than `maxt` is closed first.
   */
  addClosedChunk(slot: number, chunkRef: number, mint: number, maxt: number): void;
  /** Closes the open chunk of a slot; false when it is empty. */
  closeOpenChunk(slot: number): boolean;
  /**
   * The chunks of `slots` that touch mint … maxt, as columns; open chunks with their bytes, closed ones by ref and with
   * encoding 0 (it is read with them). One entry per slot in the order given, also for those without chunks. With
   * `newestOnly`, a series that is not rare and whose newest sample is in range gives a chunk of that sample alone.
   */
  gather(slots: Uint32Array, mint: number, maxt: number, newestOnly?: boolean): GatheredSeries;
  /** Smallest and largest sample time present; mint > maxt (Infinity, -Infinity) when empty. Exact after replay and truncate. */
  timeRange(): { mint: number; maxt: number };
  /**
   * Forgets closed chunks that end before `mint` and open chunks whose newest sample is before it. Returns the slots
   * left without any sample, except rare ones; they stay until `collect`.
   */
  truncate(mint: number): Uint32Array;
  /** Whether a slot has no sample here, in an open chunk or a closed one. */
  isEmpty(slot: number): boolean;
  /**
   * Frees a series. Its slot is used again only after `reuseCollected`, its walRef never. Not for the series of a request
   * under way, nor during replay.
   */
  collect(slot: number): void;
  /** Lets slots collected so far be used again: to be called when nobody names them any more. */
  reuseCollected(): void;
}

/** A label set of more bytes is refused: nothing legitimate comes near it. */
export const LABEL_BYTES_MAX = 65_000;

export interface HeadMemoryOptions {
  /** Chunks never reach across a multiple of this many ms; 1 … 2³¹-1. Two hours unless said otherwise. */
  chunkRangeMs?: number;
  /** Of the table of label sets, 32 bits. Who chooses labels must not be able to guess it. */
  hashSeed?: number;
  /** Bytes this head may take at most, 1 MiB … 4 GiB - 64 KiB (the default); `PlainHeadMemory` knows no end. */
  memoryMax?: number;
}

export const CHUNK_RANGE_MS = 7_200_000;

export const SampleOutcome = {
  ok: 0,
  /** Same time and same bits as the newest sample. */
  duplicate: 1,
  outOfOrder: 2,
  duplicateValue: 3,
  outOfBounds: 4,
  tooFarInFuture: 5,
  rare: 6,
} as const;
export type SampleOutcome = (typeof SampleOutcome)[keyof typeof SampleOutcome];

export const IngestEvent = {
  done: 0,
  /** Labels seen for the first time, or not canonical: `labels`, `labelsCanonical`, `seriesStart`, `seriesEnd`, `metadataStart`, `metadataEnd`. Decide with `adopt`. */
  newSeries: 1,
  /** A TimeSeries with exemplars or histograms, or of a rare series: `slot` (0 if new), `labels`, `labelsCanonical`, `seriesStart`, `seriesEnd`. It is skipped here, whole. */
  rareSeries: 2,
  /** One sample was refused: `slot`, `t`, `v`, `outcome`. */
  refusedSample: 3,
  /** The request does not parse at `offset` of the decoded body: nothing after it can be read. `reason`. */
  malformed: 4,
  /** A field other than TimeSeries (and symbols) at top level (1.0: metadata): `seriesStart`, `seriesEnd` bound its value, `fieldNumber`. */
  otherField: 5,
} as const;
export type IngestEvent = (typeof IngestEvent)[keyof typeof IngestEvent];

export interface IngestEventDetail {
  slot: number;
  /** Label bytes; canonical when `labelsCanonical`, else as sent. A view. */
  labels: Uint8Array;
  labelsCanonical: boolean;
  seriesStart: number;
  seriesEnd: number;
  /** The metadata message of a 2.0 TimeSeries, without its tag and size; both 0 when there is none. */
  metadataStart: number;
  metadataEnd: number;
  fieldNumber: number;
  t: number;
  v: number;
  outcome: SampleOutcome;
  offset: number;
  reason: string;
}

/** As it is before the first event. */
export function noEvent(): IngestEventDetail {
  return {
    slot: 0,
    labels: new Uint8Array(),
    labelsCanonical: false,
    seriesStart: 0,
    seriesEnd: 0,
    metadataStart: 0,
    metadataEnd: 0,
    fieldNumber: 0,
    t: 0,
    v: 0,
    outcome: SampleOutcome.ok,
    offset: 0,
    reason: '',
  };
}

export interface ReplayCounts {
  /** Applied. */
  samples: number;
  unknownRefs: number;
  /** Of rare series: TypeScript decodes the record for them. */
  rare: number;
  /** Already in closed chunks, or not newer than the newest sample, or before `minValidTime`. */
  skipped: number;
}

/**
 * Columns of `SeriesBatch` (`storage/series-batch.ts`) before closed chunks are read: `chunkRef` is their place in
 * `chunks_head/`, or -1 for a chunk whose bytes are present. Own memory of the caller, ready to be transferred.
 */
export interface GatheredSeries {
  seriesCount: number;
  labelBytes: Uint8Array;
  labelOffsets: Uint32Array;
  chunkStarts: Uint32Array;
  chunkMint: Float64Array;
  chunkMaxt: Float64Array;
  chunkEncoding: Uint8Array;
  chunkRef: Float64Array;
  chunkDataOffset: Uint32Array;
  chunkDataLength: Uint32Array;
  chunkData: Uint8Array;
}
