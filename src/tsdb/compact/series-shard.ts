import type { RankedSymbols } from '../index/index-writer.ts';

/**
 * Which of `count` shards a series belongs to: a hash of its labels, the same in every block and for ever. FNV-1a of each
 * name and value, mixed in order.
 */
export class SeriesShard {
  readonly #symbols: RankedSymbols;
  readonly #count: number;
  /** Hash by rank; 0 for one not computed yet. */
  readonly #hashes: Uint32Array;

  constructor(symbols: RankedSymbols, count: number) {
    this.#symbols = symbols;
    this.#count = count;
    this.#hashes = new Uint32Array(count > 1 ? symbols.count : 0);
  }

  /** From 0. `labels`: pairs of ranks. */
  of(labels: Uint32Array, labelCount: number): number {
    if (this.#count <= 1) return 0;
    let hash = 0x811c9dc5;
    for (let i = 0; i < 2 * labelCount; i++) hash = mix(hash ^ this.#hashOf(labels[i]));
    return hash % this.#count;
  }

  #hashOf(rank: number): number {
    const known = this.#hashes[rank];
    if (known !== 0) return known;
    let hash = 0x811c9dc5;
    for (const byte of this.#symbols.bytesOf(rank)) hash = Math.imul(hash ^ byte, 0x01000193);
    return (this.#hashes[rank] = hash >>> 0 || 1);
  }
}

function mix(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
