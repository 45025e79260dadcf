import { crc32c } from '../encoding/crc32c.ts';
import { WireReader, WireType } from '../encoding/protobuf.ts';
import { VeronaError } from '../model/errors.ts';

/** One series of a frame of remote read (`remote-read.ts`), as views into the frame. */
export interface RawChunkedSeries {
  /** The repeated field `labels` as sent, tags included. */
  readonly labelBytes: Uint8Array;
  readonly chunks: readonly RawReadChunk[];
}

export interface RawReadChunk {
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  /** Prometheus' encoding byte. */
  readonly encoding: number;
  readonly data: Uint8Array;
}

/** Prometheus' own limit of a frame. */
const FRAME_BYTES_MAX = 50 * 1024 * 1024;
const CHECKSUM_SIZE = 4;

/** Series of a stream of frames as its bytes come in. Throws `corrupt` with the number of the frame, or `WireError`. */
export async function* readChunkedStream(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly RawChunkedSeries[]> {
  const waiting = new ByteQueue();
  let frames = 0;
  for await (const bytes of body) {
    waiting.push(bytes);
    for (let frame = waiting.takeFrame(frames); frame; frame = waiting.takeFrame(frames)) {
      frames++;
      yield readFrame(new WireReader(frame));
    }
  }
  if (waiting.length > 0) throw new VeronaError('corrupt', `frame ${frames} is cut off`);
}

function readFrame(reader: WireReader): RawChunkedSeries[] {
  const series: RawChunkedSeries[] = [];
  while (reader.next()) if (reader.field === 1) series.push(readSeries(reader.message()));
  return series;
}

function readSeries(reader: WireReader): RawChunkedSeries {
  const labels: Uint8Array[] = [];
  const chunks: RawReadChunk[] = [];
  let labelStart = -1;
  let labelEnd = -1;
  while (reader.next()) {
    if (reader.field === 1) {
      reader.expect(WireType.bytes);
      if (labelEnd !== reader.tagStart) {
        if (labelStart >= 0) labels.push(reader.bytes.subarray(labelStart, labelEnd));
        labelStart = reader.tagStart;
      }
      labelEnd = reader.valueEnd;
    } else if (reader.field === 2) chunks.push(readChunk(reader.message()));
  }
  if (labelStart >= 0) labels.push(reader.bytes.subarray(labelStart, labelEnd));
  return { labelBytes: labels.length === 1 ? labels[0] : Buffer.concat(labels), chunks };
}

function readChunk(reader: WireReader): RawReadChunk {
  let mint = 0;
  let maxt = 0;
  let encoding = 0;
  let data = reader.bytes.subarray(reader.end, reader.end);
  while (reader.next()) {
    if (reader.field === 1) mint = reader.int();
    else if (reader.field === 2) maxt = reader.int();
    else if (reader.field === 3) encoding = reader.int();
    else if (reader.field === 4) data = reader.view();
  }
  return { mint, maxt, encoding, data };
}

/** Bytes that came and were not read. */
class ByteQueue {
  #bytes = new Uint8Array(0);
  #at = 0;

  get length(): number {
    return this.#bytes.length - this.#at;
  }

  push(bytes: Uint8Array): void {
    if (this.length === 0) {
      this.#bytes = Uint8Array.from(bytes);
      this.#at = 0;
      return;
    }
    const joined = new Uint8Array(this.length + bytes.length);
    joined.set(this.#bytes.subarray(this.#at));
    joined.set(bytes, this.length);
    this.#bytes = joined;
    this.#at = 0;
  }

  /** The data of the next frame when all of it is here: a view that stays valid. */
  takeFrame(number: number): Uint8Array | undefined {
    let size = 0;
    let at = this.#at;
    for (let scale = 1; ; scale *= 128) {
      if (at >= this.#bytes.length) return undefined;
      const byte = this.#bytes[at++];
      size += (byte & 127) * scale;
      if (size > FRAME_BYTES_MAX)
        throw new VeronaError('corrupt', `frame ${number} says it has more than ${FRAME_BYTES_MAX} bytes`);
      if (byte < 128) break;
    }
    const start = at + CHECKSUM_SIZE;
    if (start + size > this.#bytes.length) return undefined;
    const expected = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at).getUint32(0);
    if (crc32c(this.#bytes, start, start + size) !== expected)
      throw new VeronaError('corrupt', `frame ${number} has a bad checksum`);
    this.#at = start + size;
    return this.#bytes.subarray(start, start + size);
  }
}
