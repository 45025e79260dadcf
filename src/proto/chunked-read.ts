import { WireReader, WireType } from '../encoding/protobuf.ts';
import { crc32c } from '../kernel/bytes-kernel.ts';
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
/** Of the size of a frame. */
const HEAD_SIZE_MAX = 10;

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

/** Bytes that came and were not read, as they came: a frame is put together once, when all of it is here. */
class ByteQueue {
  readonly #parts: Uint8Array[] = [];
  length = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.length += bytes.length;
  }

  /** The data of the next frame when all of it is here: a view that stays valid. */
  takeFrame(number: number): Uint8Array | undefined {
    const head = this.#head(number);
    if (!head || head.size + head.frameBytes > this.length) return undefined;
    const { size, frameBytes } = head;
    const whole = this.#take(size + frameBytes);
    const expected = new DataView(whole.buffer, whole.byteOffset + size - CHECKSUM_SIZE).getUint32(0);
    if (crc32c(whole, size, whole.length) !== expected)
      throw new VeronaError('corrupt', `frame ${number} has a bad checksum`);
    return whole.subarray(size);
  }

  /** How long the head of the next frame is, with its checksum, and how long the rest; undefined when it is not all here. */
  #head(number: number): { readonly size: number; readonly frameBytes: number } | undefined {
    if (this.length === 0) return undefined;
    if (this.#parts[0].length < HEAD_SIZE_MAX && this.#parts.length > 1) this.#join(HEAD_SIZE_MAX);
    const [first] = this.#parts;
    let frameBytes = 0;
    let at = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= first.length) return undefined;
      const byte = first[at++];
      frameBytes += (byte & 127) * scale;
      if (frameBytes > FRAME_BYTES_MAX)
        throw new VeronaError('corrupt', `frame ${number} says it has more than ${FRAME_BYTES_MAX} bytes`);
      if (byte < 128) return { size: at + CHECKSUM_SIZE, frameBytes };
      if (at >= HEAD_SIZE_MAX) throw new VeronaError('corrupt', `frame ${number} has no size`);
    }
  }

  /** Exactly so many bytes, which are here. */
  #take(size: number): Uint8Array {
    if (this.#parts[0].length < size) this.#join(size);
    const [first] = this.#parts;
    if (first.length === size) this.#parts.shift();
    else this.#parts[0] = first.subarray(size);
    this.length -= size;
    return first.subarray(0, size);
  }

  /** Makes the first parts one, up to so many bytes if there are as many. */
  #join(size: number): void {
    let count = 0;
    let bytes = 0;
    while (count < this.#parts.length && bytes < size) bytes += this.#parts[count++].length;
    const joined = new Uint8Array(bytes);
    let at = 0;
    for (const part of this.#parts.splice(0, count)) {
      joined.set(part, at);
      at += part.length;
    }
    this.#parts.unshift(joined);
  }
}
