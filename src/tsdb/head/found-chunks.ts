import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import { refSequence } from '../chunks/chunk-format.ts';
import { scanHeadChunks, setAsideHeadFiles } from '../chunks/head-chunks.ts';

/** Sees one chunk of a series; chunks come in the order of their refs. */
export type VisitFound = (ref: number, mint: number, maxt: number, isFloat: boolean) => void;

/**
 * The chunks that `chunks_head/` has at start, by the series' number in the log, as columns: 30 bytes per chunk. A
 * damaged file is moved aside together with the later ones; the log makes their samples again.
 */
export class FoundChunks {
  #count = 0;
  #refs = new Float64Array(1024);
  #mints = new Float64Array(1024);
  #maxts = new Float64Array(1024);
  /** Index + 1 of the next chunk of the same series; 0 at the end. */
  #next = new Uint32Array(1024);
  #isFloat = new Uint8Array(1024);
  readonly #first = new Map<number, number>();
  readonly #last = new Map<number, number>();
  /** Chunks of late samples; the log of late samples has them too. */
  lateChunks = 0;
  seriesRefMax = 0;

  static async scan(disk: Disk, dir: string, log: Logger): Promise<FoundChunks> {
    const found = new FoundChunks();
    const damages = await scanHeadChunks(disk, dir, (ref, chunk) => {
      found.seriesRefMax = Math.max(found.seriesRefMax, chunk.seriesRef);
      if (chunk.isOutOfOrder) found.lateChunks++;
      else found.#add(chunk.seriesRef, ref, chunk.mint, chunk.maxt, chunk.encoding === ChunkEncoding.xor);
    });
    for (const damage of damages) {
      log.warn('a file of closed chunks is damaged; its samples are taken from the log', { ...damage });
      found.#cutFrom(damage.sequence);
      await setAsideHeadFiles(disk, dir, damage);
    }
    return found;
  }

  get count(): number {
    return this.#count;
  }

  /** Visits the chunks of a series once; they are forgotten then. */
  take(seriesRef: number, visit: VisitFound): void {
    for (let at = this.#first.get(seriesRef) ?? 0; at !== 0; at = this.#next[at - 1])
      if (at <= this.#count)
        visit(this.#refs[at - 1], this.#mints[at - 1], this.#maxts[at - 1], this.#isFloat[at - 1] === 1);
    this.#first.delete(seriesRef);
  }

  /** Series whose chunks nobody took: the log does not know them. */
  get unclaimedSeries(): number {
    return this.#first.size;
  }

  #add(seriesRef: number, ref: number, mint: number, maxt: number, isFloat: boolean): void {
    if (this.#count === this.#refs.length) this.#grow();
    const at = this.#count++;
    this.#refs[at] = ref;
    this.#mints[at] = mint;
    this.#maxts[at] = maxt;
    this.#isFloat[at] = isFloat ? 1 : 0;
    const last = this.#last.get(seriesRef);
    if (last === undefined) this.#first.set(seriesRef, at + 1);
    else this.#next[last] = at + 1;
    this.#last.set(seriesRef, at);
  }

  /** Refs ascend, so what belongs to the damaged file and later ones is at the end. */
  #cutFrom(sequence: number): void {
    while (this.#count > 0 && refSequence(this.#refs[this.#count - 1]) >= sequence) this.#count--;
  }

  #grow(): void {
    const length = this.#count * 2;
    this.#refs = grown(this.#refs, new Float64Array(length));
    this.#mints = grown(this.#mints, new Float64Array(length));
    this.#maxts = grown(this.#maxts, new Float64Array(length));
    this.#next = grown(this.#next, new Uint32Array(length));
    this.#isFloat = grown(this.#isFloat, new Uint8Array(length));
  }
}

function grown<T extends Float64Array | Uint32Array | Uint8Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
