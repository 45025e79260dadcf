// Memory in slabs of one WebAssembly page (64 KiB). Page 0 holds fixed tables (see layout.ts); slabs begin at page 1.
// A slab is used whole for records, blocks, label bytes, list nodes; buffers take runs of them and give back single slabs.

export const SLAB: u32 = 65536;
/** One page below 4 GiB, so that a pointer plus a small offset never wraps around. */
const PAGES_MAX: u32 = 65535;

/** What this instance may have. */
let pagesMax: u32 = PAGES_MAX;
let nextPage: u32 = 1;
/** List of slabs given back, linked through their first word. */
let freeSlabs: u32 = 0;

export function limitPages(pages: u32): void {
  pagesMax = min(pages, PAGES_MAX);
}

/** The address of a slab; 0 when memory is full. */
export function takeSlab(): u32 {
  let slab = freeSlabs;
  if (slab == 0) return takeRun(1);
  freeSlabs = load<u32>(slab);
  return slab;
}

/** Adjacent slabs, never used before; 0 when memory is full. */
export function takeRun(slabs: u32): u32 {
  if (slabs > pagesMax || nextPage > pagesMax - slabs) return 0;
  let end = nextPage + slabs;
  let size = memory.size() as u32;
  if (end > size) {
    let wanted = min(max(end, size + max<u32>(4, size >> 4)), pagesMax);
    if (memory.grow(wanted - size) < 0 && (wanted == end || memory.grow(end - size) < 0)) return 0;
  }
  let at = nextPage << 16;
  nextPage = end;
  return at;
}

export function giveRun(at: u32, slabs: u32): void {
  for (let i: u32 = 0; i < slabs; i++) {
    let slab = at + (i << 16);
    store<u32>(slab, freeSlabs);
    freeSlabs = slab;
  }
}
