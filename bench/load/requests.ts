import { snappyCompress } from '../../src/kernel/bytes-kernel.ts';

/** tag 0x12, length 16, tag 0x09, 8 bytes value, tag 0x10, 6 bytes time: a time of our age is 41 bits long. */
const SAMPLE_BYTES = 18;

/**
 * Remote write requests of a fixed list of series. The protobuf is laid out once; each scrape patches values and
 * times in place and compresses, so that the sender stays cheap beside the server under test.
 */
export class RequestTemplate {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #series: Uint32Array;
  readonly #samplesAt: Uint32Array;

  constructor(series: readonly number[], labelBytes: (index: number) => Uint8Array) {
    const labels = series.map(labelBytes);
    this.#series = Uint32Array.from(series);
    this.#samplesAt = new Uint32Array(series.length);
    this.#bytes = new Uint8Array(labels.reduce((sum, bytes) => sum + bytes.length + SAMPLE_BYTES + 4, 0));
    let at = 0;
    for (const [i, bytes] of labels.entries()) {
      const length = bytes.length + SAMPLE_BYTES;
      this.#bytes[at++] = 0x0a;
      this.#bytes[at++] = (length & 127) | 128;
      this.#bytes[at++] = length >> 7;
      this.#bytes.set(bytes, at);
      at += bytes.length;
      this.#samplesAt[i] = at;
      this.#bytes.set([0x12, 16, 0x09], at);
      this.#bytes[at + 11] = 0x10;
      at += SAMPLE_BYTES;
    }
    this.#bytes = this.#bytes.subarray(0, at);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get samples(): number {
    return this.#series.length;
  }

  /** The compressed body with these values at time `t` (ms). */
  body(values: Float64Array, t: number): Uint8Array {
    const time = new Uint8Array(6);
    for (let i = 0, rest = t; i < 6; i++, rest = Math.floor(rest / 128))
      time[i] = (rest % 128) | (i < 5 ? 128 : 0);
    for (let i = 0; i < this.#series.length; i++) {
      const at = this.#samplesAt[i];
      this.#view.setFloat64(at + 3, values[this.#series[i]], true);
      this.#bytes.set(time, at + 12);
    }
    return snappyCompress(this.#bytes);
  }
}
