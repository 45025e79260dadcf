/** Parts double from the first to the last: most answers are small, and fresh memory is dear. */
const FIRST_PART_BYTES = 4 * 1024;
const PART_BYTES_MAX = 256 * 1024;
const encoder = new TextEncoder();

/** Collects bytes into parts of bounded size; every part is memory of its own, ready to be moved to another thread. */
export class ByteSink {
  readonly #parts: Uint8Array[] = [];
  #part: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #partBytes = FIRST_PART_BYTES;
  #used = 0;
  #total = 0;

  /** Bytes written so far. */
  get size(): number {
    return this.#total;
  }

  text(text: string): void {
    if (text.length * 3 > this.#part.length - this.#used && text.length * 3 <= this.#partBytes)
      this.#nextPart();
    if (text.length * 3 <= this.#part.length - this.#used) {
      const { written } = encoder.encodeInto(text, this.#part.subarray(this.#used));
      this.#used += written;
      this.#total += written;
    } else this.bytes(encoder.encode(text));
  }

  /** Copies the bytes, so a view of memory that is used again is fine. */
  bytes(bytes: Uint8Array): void {
    this.#total += bytes.length;
    if (bytes.length > this.#part.length - this.#used) {
      if (bytes.length > this.#partBytes) {
        this.#finishPart();
        this.#parts.push(bytes.slice());
        return;
      }
      this.#nextPart();
    }
    this.#part.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Everything written; the sink is empty after. */
  take(): Uint8Array[] {
    this.#finishPart();
    return this.#parts.splice(0);
  }

  #nextPart(): void {
    this.#finishPart();
    this.#part = new Uint8Array(this.#partBytes);
    this.#partBytes = Math.min(2 * this.#partBytes, PART_BYTES_MAX);
  }

  #finishPart(): void {
    if (this.#used > 0) this.#parts.push(this.#part.subarray(0, this.#used));
    this.#part = new Uint8Array(0);
    this.#used = 0;
  }
}
