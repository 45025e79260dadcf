import { type ByteParts, partsLength, partsOf } from '../encoding/byte-parts.ts';
import { VeronaError } from '../model/errors.ts';
import { isStale } from '../model/sample.ts';
import { assert } from '../platform/assert.ts';
import {
  CHUNK_RANGE_MS,
  type GatheredSeries,
  type HeadMemory,
  type HeadMemoryOptions,
  IngestEvent,
  LABEL_BYTES_MAX,
  noEvent,
  type ReplayCounts,
  type SampleOutcome,
} from './head-memory.ts';
import { EVENT_AT, type HeadExports, instantiateHead } from './head-module.ts';
import { MALFORMED_REASONS } from './malformed-reason.ts';
import { memoryFull, snappyError } from './snappy-fault.ts';
import { gatherSeries } from './wasm-gather.ts';

/** Compressed and decoded requests are shorter: the kernel counts in 31 bits. */
const BODY_MAX = 2 ** 30;
const PAGE = 65536;
const MEMORY_MAX = 2 ** 32 - PAGE;
/** Not in the contract: what the kernel answers when its memory is full. */
const NO_ROOM = 7;
const EVENT_FULL = 6;
const KNOWN = 0xffffffff;

/**
 * The memory of a head in a WebAssembly instance of its own, from about 0.5 MiB up to 4 GiB. One call does a whole
 * request as long as nothing in it needs a decision. How memory is laid out is drawn in `assembly/`.
 */
export class WasmHeadMemory implements HeadMemory {
  readonly #wasm: HeadExports;
  /** Of the current buffer; memory that grows makes a new one. */
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array();
  #view = new DataView(new ArrayBuffer(0));

  readonly event = noEvent();

  /** Tenants choose labels: give a random `hashSeed` where they are not trusted. */
  constructor({
    chunkRangeMs = CHUNK_RANGE_MS,
    hashSeed = 0,
    memoryMax = MEMORY_MAX,
  }: HeadMemoryOptions = {}) {
    assert(chunkRangeMs >= 1 && chunkRangeMs < 2 ** 31, `chunk range of ${chunkRangeMs} ms`);
    this.#wasm = instantiateHead();
    if (!this.#wasm.init(chunkRangeMs, hashSeed, Math.floor(memoryMax / PAGE))) throw memoryFull();
  }

  get seriesCount(): number {
    return this.#wasm.seriesCount() >>> 0;
  }

  memoryUse(): ReturnType<HeadMemory['memoryUse']> {
    const { memory, labelBytes, recordBytes, tableBytes, blockBytes, nodeBytes } = this.#wasm;
    return {
      total: memory.buffer.byteLength,
      labels: labelBytes() >>> 0,
      records: recordBytes() >>> 0,
      table: tableBytes() >>> 0,
      openChunks: blockBytes() >>> 0,
      closedLists: nodeBytes() >>> 0,
    };
  }

  // ── series ────────────────────────────────────────────────────────────────
  find(labelBytes: Uint8Array): number {
    if (labelBytes.length > LABEL_BYTES_MAX) return 0;
    this.#put(labelBytes);
    return this.#wasm.find(labelBytes.length) >>> 0;
  }

  create(labelBytes: Uint8Array, walRef: number): number {
    checkLabelBytes(labelBytes);
    assert(Number.isSafeInteger(walRef) && walRef >= 1, `walRef ${walRef}`);
    this.#put(labelBytes);
    const slot = this.#wasm.create(labelBytes.length, walRef) >>> 0;
    assert(slot !== KNOWN, 'a series is created once');
    if (slot === 0) throw memoryFull();
    return slot;
  }

  labelBytesOf(slot: number): Uint8Array {
    this.#check(slot);
    return this.#at(this.#wasm.labelsOf(slot), this.#wasm.labelsLengthOf(slot));
  }

  walRefOf(slot: number): number {
    this.#check(slot);
    return this.#wasm.walRefOf(slot);
  }

  lastTimeOf(slot: number): number {
    this.#check(slot);
    return this.#wasm.lastTimeOf(slot);
  }

  sortByLabels(slots: Uint32Array): void {
    for (const slot of slots) this.#check(slot);
    const at = this.#put(bytesOf(slots));
    if (!this.#wasm.sort(slots.length)) throw memoryFull();
    bytesOf(slots).set(this.#memory().subarray(at, at + slots.byteLength));
  }

  setRare(slot: number, rare: boolean): void {
    if (rare) this.closeOpenChunk(slot);
    this.#check(slot);
    this.#wasm.setRare(slot, rare ? 1 : 0);
  }

  isRare(slot: number): boolean {
    this.#check(slot);
    return this.#wasm.isRare(slot) !== 0;
  }

  // ── appending ─────────────────────────────────────────────────────────────
  setBounds(minValidTime: number, maxValidTime: number): void {
    this.#wasm.setBounds(minValidTime, maxValidTime);
  }

  append(slot: number, t: number, v: number): SampleOutcome {
    if (!Number.isSafeInteger(t)) assert(false, `time ${t}`);
    // The bits of a signaling NaN do not survive the call.
    const outcome = isStale(v) ? this.#wasm.appendStale(slot, t) : this.#wasm.append(slot, t, v);
    if (outcome < 0) assert(false, `slot ${slot} holds a series`);
    if (outcome === NO_ROOM) throw memoryFull();
    return outcome as SampleOutcome;
  }

  beginWrite(body: ByteParts, decodedMax: number): void {
    this.#begin(body, decodedMax, 0);
  }

  beginWriteV2(body: ByteParts, decodedMax: number): void {
    this.#begin(body, decodedMax, 1);
  }

  #begin(body: ByteParts, decodedMax: number, isV2: number): void {
    const length = partsLength(body);
    if (length > BODY_MAX) throw new VeronaError('too_large', `body of ${length} bytes, ${BODY_MAX} allowed`);
    let at = this.#input(length);
    for (const part of partsOf(body)) {
      this.#memory().set(part, at);
      at += part.length;
    }
    const fault = this.#wasm.begin(length, Math.min(decodedMax, BODY_MAX), isV2);
    if (fault !== 0) throw snappyError(fault, this.#wasm.snappyOffset.value, decodedMax);
  }

  resume(): IngestEvent {
    const kind = this.#wasm.resume();
    if (kind === IngestEvent.done) return kind;
    if (kind === EVENT_FULL) throw memoryFull();
    this.#describe(kind as IngestEvent);
    return kind as IngestEvent;
  }

  #describe(kind: IngestEvent): void {
    const { event } = this;
    const bytes = this.#memory();
    const view = this.#view;
    const at = (offset: number) => view.getUint32(EVENT_AT + offset, true);
    switch (kind) {
      case IngestEvent.newSeries:
      case IngestEvent.rareSeries:
        event.slot = at(0);
        event.labels = bytes.subarray(at(4), at(4) + at(8));
        event.labelsCanonical = at(12) === 1;
        event.seriesStart = at(16);
        event.seriesEnd = at(20);
        event.metadataStart = at(24);
        event.metadataEnd = at(28);
        return;
      case IngestEvent.refusedSample:
        event.slot = at(0);
        event.outcome = at(36) as SampleOutcome;
        event.t = view.getFloat64(EVENT_AT + 48, true);
        event.v = view.getFloat64(EVENT_AT + 56, true);
        return;
      case IngestEvent.malformed:
        event.offset = at(40);
        event.reason = MALFORMED_REASONS[at(44)];
        return;
      case IngestEvent.otherField:
        event.fieldNumber = at(32);
        event.seriesStart = at(16);
        event.seriesEnd = at(20);
    }
  }

  adopt(slot: number): void {
    if (slot !== 0) this.#check(slot);
    assert(this.#wasm.adopt(slot) !== 0, 'adopt answers newSeries');
  }

  adoptNew(walRef: number): number {
    const { labels, labelsCanonical } = this.event;
    checkLabelBytes(labels);
    assert(labelsCanonical && Number.isSafeInteger(walRef) && walRef >= 1, `adopt a new series as ${walRef}`);
    const slot = this.#wasm.adoptNew(walRef);
    assert(slot !== -1, 'adoptNew answers newSeries');
    if (slot === 0) throw memoryFull();
    return slot >>> 0;
  }

  decoded(): Uint8Array {
    return this.#at(this.#wasm.bodyAt(), this.#wasm.decodedLength.value);
  }

  get writeSamples(): number {
    this.#memory();
    return this.#view.getUint32(EVENT_AT + 64, true);
  }

  get writeDuplicates(): number {
    this.#memory();
    return this.#view.getUint32(EVENT_AT + 68, true);
  }

  // ── log ───────────────────────────────────────────────────────────────────
  takeSamplesRecord(): Uint8Array {
    return this.#at(this.#wasm.logAt(), this.#wasm.takeLog());
  }

  mapWalRef(walRef: number, slot: number): void {
    this.#check(slot);
    if (!this.#wasm.mapWalRef(walRef, slot)) throw memoryFull();
  }

  endReplay(): void {
    this.#wasm.endReplay();
  }

  replaySamples(record: Uint8Array): ReplayCounts {
    if (record[0] !== 2) throw new VeronaError('corrupt', 'samples record: bad type at 0');
    const wasm = this.#wasm;
    if (record.length === 1) return { samples: 0, unknownRefs: 0, rare: 0, skipped: 0 };
    if (record.length < 17) throw new VeronaError('corrupt', 'samples record: cut off at 1');
    this.#put(record);
    const fault = wasm.replay(record.length);
    if (fault === 3) throw memoryFull();
    if (fault !== 0) {
      const reason = fault === 1 ? 'bad varint' : 'cut off';
      throw new VeronaError('corrupt', `samples record: ${reason} at ${wasm.replayOffset.value}`);
    }
    return {
      samples: wasm.applied.value,
      unknownRefs: wasm.unknownRefs.value,
      rare: wasm.replayRare.value,
      skipped: wasm.skipped.value,
    };
  }

  // ── chunks ────────────────────────────────────────────────────────────────
  setChunkFilePosition(sequence: number, offset: number): void {
    assert(this.closedBytesPending === 0, 'closed chunks were taken before the next file begins');
    this.#wasm.setChunkFilePosition(sequence, offset);
  }

  takeClosedChunks(): Uint8Array {
    return this.#at(this.#wasm.closedAt(), this.#wasm.takeClosed());
  }

  get closedBytesPending(): number {
    return this.#wasm.closedPending() >>> 0;
  }

  addClosedChunk(slot: number, chunkRef: number, mint: number, maxt: number): void {
    this.#check(slot);
    if (!this.#wasm.addClosedChunk(slot, chunkRef, mint, maxt)) throw memoryFull();
  }

  closeOpenChunk(slot: number): boolean {
    this.#check(slot);
    const closed = this.#wasm.closeOpenChunk(slot);
    if (closed < 0) throw memoryFull();
    return closed === 1;
  }

  gather(slots: Uint32Array, mint: number, maxt: number, newestOnly = false): GatheredSeries {
    for (const slot of slots) this.#check(slot);
    this.#put(bytesOf(slots));
    return gatherSeries(this.#wasm, slots.length, { mint, maxt, newestOnly });
  }

  timeRange(): { mint: number; maxt: number } {
    return { mint: this.#wasm.mint(), maxt: this.#wasm.maxt() };
  }

  truncate(mint: number): Uint32Array {
    const count = this.#wasm.truncate(mint);
    if (count < 0) throw memoryFull();
    const at = this.#wasm.outAt() >>> 0;
    return new Uint32Array(this.#wasm.memory.buffer.slice(at, at + 4 * count));
  }

  isEmpty(slot: number): boolean {
    this.#check(slot);
    return this.#wasm.isEmpty(slot) !== 0;
  }

  reuseCollected(): void {
    this.#wasm.reuseCollected();
  }

  collect(slot: number): void {
    this.#check(slot);
    const refusal = this.#wasm.collect(slot);
    assert(refusal !== 1, 'no series is collected during replay');
    assert(refusal !== 2, 'the series of a request under way is not collected');
  }

  // ── memory ────────────────────────────────────────────────────────────────
  #check(slot: number): void {
    // A text for every sample would cost more than the sample.
    if (!this.#wasm.isSlot(slot)) assert(false, `slot ${slot} holds a series`);
  }

  /** Copies bytes to the kernel's input and says where they are. They may be a view of its memory. */
  #put(bytes: Uint8Array): number {
    const wasm = this.#wasm;
    if (bytes.length > wasm.inputCapacity() && bytes.buffer === wasm.memory.buffer) bytes = bytes.slice();
    const at = this.#input(bytes.length);
    this.#memory().set(bytes, at);
    return at;
  }

  /** The address of the kernel's input, with room for `length` bytes. */
  #input(length: number): number {
    const at = this.#wasm.input(length) >>> 0;
    if (at === 0) throw memoryFull();
    return at;
  }

  #at(address: number, length: number): Uint8Array {
    const start = address >>> 0;
    return this.#memory().subarray(start, start + length);
  }

  #memory(): Uint8Array<ArrayBuffer> {
    const { buffer } = this.#wasm.memory;
    if (this.#bytes.buffer !== buffer) {
      this.#bytes = new Uint8Array(buffer as ArrayBuffer);
      this.#view = new DataView(buffer);
    }
    return this.#bytes;
  }
}

function checkLabelBytes({ length }: Uint8Array): void {
  if (length > LABEL_BYTES_MAX)
    throw new VeronaError('limit', `label set of ${length} bytes, ${LABEL_BYTES_MAX} allowed`);
}

function bytesOf(slots: Uint32Array): Uint8Array {
  return new Uint8Array(slots.buffer, slots.byteOffset, slots.byteLength);
}
