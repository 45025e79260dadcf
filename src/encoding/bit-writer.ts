/** Bits, the first one written being the highest of the first byte. Values are `bigint`s: for readers, not for hot paths. */
export class BitWriter {
  readonly #bytes: number[] = [];
  #bits = 0;

  /** Appends the low `length` (0 … 64) bits of `value`; negative ones in two's complement. */
  write(value: bigint, length: number): void {
    const bits = BigInt.asUintN(length, value);
    for (let i = length - 1; i >= 0; i--) {
      if (this.#bits % 8 === 0) this.#bytes.push(0);
      if ((bits >> BigInt(i)) & 1n) this.#bytes[this.#bytes.length - 1] |= 128 >>> (this.#bits % 8);
      this.#bits++;
    }
  }

  /** Appends whole bytes of an unsigned varint, wherever the bits stand. */
  writeUvarint(value: bigint): void {
    for (; value >= 128n; value >>= 7n) this.write((value & 127n) | 128n, 8);
    this.write(value, 8);
  }

  /** What was written, the last byte filled with zeros. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
