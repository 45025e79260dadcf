import { type ByteParts, joinParts } from '../encoding/byte-parts.ts';
import { WireError, WireReader, WireType } from '../encoding/protobuf.ts';
import { snappyDecompress } from '../encoding/snappy.ts';
import { assert } from '../platform/assert.ts';
import { IngestEvent, noEvent, SampleOutcome } from './head-memory.ts';
import {
  isCanonical,
  labelBudget,
  type PlainTimeSeries,
  readSample,
  readSymbols,
  readTimeSeries,
} from './plain-write-request.ts';

/** Where the samples of a request go. */
interface Target {
  /** The slot of a series; 0 when there is none. */
  find(labelBytes: Uint8Array): number;
  isRare(slot: number): boolean;
  appendBits(slot: number, t: number, bits: bigint): SampleOutcome;
}

/** The TimeSeries whose samples are being appended, and how many of them were. */
interface Current {
  readonly series: PlainTimeSeries;
  readonly labelsCanonical: boolean;
  slot: number;
  samplesDone: number;
}

const NO_BYTES = new Uint8Array();
/** Fields of a write request, 1.0 and 2.0. */
const SERIES_V1 = 1;
const SYMBOLS_V2 = 4;
const SERIES_V2 = 5;

/** One write request after the other, as `HeadMemory.beginWrite` and `resume` say. */
export class PlainRequest {
  readonly #target: Target;
  body: Uint8Array = NO_BYTES;
  /** Samples stored, and among them those that were there already. */
  samples = 0;
  duplicates = 0;
  #reader: WireReader | undefined;
  #symbols: readonly Uint8Array[] | undefined;
  #current: Current | undefined;
  /** Label bytes that may still be made (2.0). */
  #labelBudget = 0;
  #over = false;

  readonly event = noEvent();

  constructor(target: Target) {
    this.#target = target;
  }

  /** The series under way. */
  get slot(): number | undefined {
    return this.#current?.slot;
  }

  begin(compressed: ByteParts, decodedMax: number, isV2: boolean): void {
    this.body = NO_BYTES;
    this.#reader = undefined;
    this.#current = undefined;
    this.samples = 0;
    this.duplicates = 0;
    const body = snappyDecompress(joinParts(compressed), decodedMax);
    this.#symbols = isV2 ? readSymbols(body) : undefined;
    this.body = body;
    this.#reader = new WireReader(body);
    this.#labelBudget = labelBudget(body.length);
    this.#over = false;
  }

  resume(): IngestEvent {
    assert(this.#reader, 'a request has begun');
    if (this.#over) return IngestEvent.done;
    try {
      return this.#advance(this.#reader);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#over = true;
      this.#current = undefined;
      this.event.offset = error.offset;
      this.event.reason = error.reason;
      return IngestEvent.malformed;
    }
  }

  #advance(reader: WireReader): IngestEvent {
    for (;;) {
      const event = this.#finishCurrent();
      if (event !== undefined) return event;
      if (!reader.next()) {
        this.#over = true;
        return IngestEvent.done;
      }
      const isSeries = reader.field === (this.#symbols ? SERIES_V2 : SERIES_V1);
      const next = isSeries ? this.#enter(reader) : this.#otherField(reader);
      if (next !== undefined) return next;
    }
  }

  #otherField(reader: WireReader): IngestEvent | undefined {
    if (this.#symbols && reader.field === SYMBOLS_V2) {
      reader.expect(WireType.bytes);
      return undefined;
    }
    this.event.fieldNumber = reader.field;
    this.event.seriesStart = reader.valueStart;
    this.event.seriesEnd = reader.valueEnd;
    return IngestEvent.otherField;
  }

  /** Looks the series up; undefined when its samples can be appended or there are none. */
  #enter(reader: WireReader): IngestEvent | undefined {
    reader.expect(WireType.bytes);
    const series = readTimeSeries(this.body, reader.valueStart, reader.valueEnd, this.#symbols);
    this.#labelBudget -= this.#symbols ? series.labels.length : 0;
    if (this.#labelBudget < 0) throw new WireError('labels of the request too long', series.start);
    if (series.samples.length === 0 && !series.hasOthers) return undefined;
    const slot = this.#target.find(series.labels);
    const labelsCanonical = slot !== 0 || isCanonical(series.labels, series.start);
    if (series.hasOthers) return this.#rareEvent(series, slot, labelsCanonical);
    this.#current = { series, labelsCanonical, slot, samplesDone: 0 };
    if (slot !== 0) return undefined;
    this.#describe(series, 0, labelsCanonical);
    return IngestEvent.newSeries;
  }

  #rareEvent(series: PlainTimeSeries, slot: number, labelsCanonical: boolean): IngestEvent {
    this.#describe(series, slot, labelsCanonical);
    return IngestEvent.rareSeries;
  }

  #describe(series: PlainTimeSeries, slot: number, labelsCanonical: boolean): void {
    const { event } = this;
    event.slot = slot;
    event.labels = series.labels;
    event.labelsCanonical = labelsCanonical;
    event.seriesStart = series.start;
    event.seriesEnd = series.end;
    event.metadataStart = series.metadataStart;
    event.metadataEnd = series.metadataEnd;
  }

  /** Names the series that a `newSeries` event asked for; 0 passes its samples over. */
  adopt(slot: number): void {
    assert(this.#current && this.#current.slot === 0, 'adopt answers newSeries');
    this.#current.slot = slot;
  }

  /** Appends what is left of the TimeSeries under way. */
  #finishCurrent(): IngestEvent | undefined {
    const current = this.#current;
    if (!current) return undefined;
    if (current.slot !== 0) {
      if (current.samplesDone === 0 && this.#target.isRare(current.slot)) {
        this.#current = undefined;
        return this.#rareEvent(current.series, current.slot, current.labelsCanonical);
      }
      while (current.samplesDone < current.series.samples.length) {
        const [start, end] = current.series.samples[current.samplesDone++];
        const outcome = this.#append(current.slot, readSample(this.body, start, end));
        if (outcome !== SampleOutcome.ok) return IngestEvent.refusedSample;
      }
    }
    this.#current = undefined;
    return undefined;
  }

  #append(slot: number, { t, v }: { t: bigint; v: number }): SampleOutcome {
    const outcome = this.#target.appendBits(slot, Number(t), floatBits(v));
    if (outcome === SampleOutcome.ok || outcome === SampleOutcome.duplicate) {
      this.samples++;
      if (outcome === SampleOutcome.duplicate) this.duplicates++;
      return SampleOutcome.ok;
    }
    Object.assign(this.event, { slot, t: Number(t), v, outcome });
    return outcome;
  }
}

const scratch = new DataView(new ArrayBuffer(8));

export function floatBits(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}
