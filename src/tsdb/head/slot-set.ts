/** A set of slots as bits, for filtering lists against each other without an order. */
export class SlotSet {
  #words: Uint32Array;

  constructor(slotMax: number) {
    this.#words = new Uint32Array((slotMax >>> 5) + 1);
  }

  add(slot: number): void {
    this.#words[slot >>> 5] |= 1 << (slot & 31);
  }

  addAll(slots: Uint32Array): void {
    const words = this.#words;
    for (let i = 0; i < slots.length; i++) words[slots[i] >>> 5] |= 1 << (slots[i] & 31);
  }

  has(slot: number): boolean {
    return (this.#words[slot >>> 5] & (1 << (slot & 31))) !== 0;
  }
}
