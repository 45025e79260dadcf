import { LateSeries } from './late-series.ts';
import type { ChunkPiece, RareValue } from './rare-series.ts';

/** Late samples at one moment, by slot. */
export type LateChunks = ReadonlyMap<number, readonly ChunkPiece[]>;

/** The late samples of all series, by slot. */
export class LateSamples {
  readonly #bySlot = new Map<number, LateSeries>();

  /** False when it is known already. */
  insert(slot: number, t: number, value: RareValue, startT: number): boolean {
    let series = this.#bySlot.get(slot);
    if (series === undefined) this.#bySlot.set(slot, (series = new LateSeries()));
    return series.insert(t, value, startT);
  }

  chunks(slot: number, mint: number, maxt: number): readonly ChunkPiece[] {
    return this.#bySlot.get(slot)?.chunks(mint, maxt) ?? [];
  }

  has(slot: number): boolean {
    return this.#bySlot.has(slot);
  }

  get isEmpty(): boolean {
    return this.#bySlot.size === 0;
  }

  /** Times of the oldest and newest late sample; mint > maxt when empty. */
  range(): { mint: number; maxt: number } {
    let mint = Number.POSITIVE_INFINITY;
    let maxt = Number.NEGATIVE_INFINITY;
    for (const series of this.#bySlot.values()) {
      const range = series.range();
      mint = Math.min(mint, range.mint);
      maxt = Math.max(maxt, range.maxt);
    }
    return { mint, maxt };
  }

  /** Turns all buffers into chunks and returns what there is now; samples that come later are not part of it. */
  closeAll(): LateChunks {
    const closed = new Map<number, readonly ChunkPiece[]>();
    for (const [slot, series] of this.#bySlot) {
      series.close();
      closed.set(slot, series.chunks(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY));
    }
    return closed;
  }

  /** Forgets what `closeAll` returned. */
  drop(closed: LateChunks): void {
    for (const [slot, chunks] of closed) {
      const series = this.#bySlot.get(slot);
      series?.drop(new Set(chunks));
      if (series?.isEmpty) this.#bySlot.delete(slot);
    }
  }
}
