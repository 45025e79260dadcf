const PAGE_REFS = 1 << 14;

/** Which slot a ref of the log means: pages of numbers, since refs are dense where they are used at all. */
export class RefSlots {
  readonly #pages = new Map<number, Uint32Array>();

  set(ref: number, slot: number): void {
    const page = Math.floor(ref / PAGE_REFS);
    let slots = this.#pages.get(page);
    if (slots === undefined) this.#pages.set(page, (slots = new Uint32Array(PAGE_REFS)));
    slots[ref % PAGE_REFS] = slot;
  }

  /** 0 when the ref is unknown. */
  get(ref: number): number {
    return this.#pages.get(Math.floor(ref / PAGE_REFS))?.[ref % PAGE_REFS] ?? 0;
  }
}
