import { type InstancePlace, staticAssignment } from '../cluster/static-assignment.ts';
import type { ChosenBlock, HasMeta } from './choose-blocks.ts';

/** Which part of all time one of several gateways answers for. Plain data. */
export interface TimeShareOptions extends InstancePlace {
  /** Whose blocks they are: each tenant's time is divided anew. */
  readonly tenant: string;
  /** Time is assigned in cells of so many ms, counted from the epoch. */
  readonly spanMs: number;
  /** For how long after its upload a block may be unknown to other owners of its time, ms. */
  readonly unknownMs: number;
}

/** A block over more cells, which no sane one is, belongs to the owners of its first. */
const CELLS_MAX = 10_000;

/**
 * Gateways share a bucket by time, not by block: blocks that stand in for each other (the result of a compaction and its sources, raw data and
 * downsampled) lie in the same cells, so that one gateway decides by one list which of them answers. A result that one gateway knows of and
 * another does not makes no hole then, and nothing twice. A block that is longer than a cell is read by the owners of each of them, each
 * its part.
 */
export class TimeShare {
  readonly #spanMs: number;
  readonly #ownsCell: (cell: number) => boolean;
  readonly #known = new Map<number, boolean>();

  constructor({ tenant, spanMs, ...place }: TimeShareOptions) {
    const assignment = staticAssignment(place);
    this.#spanMs = spanMs;
    this.#ownsCell = (cell) => assignment.owns(`${tenant}\n${cell}`);
  }

  /** What is owned of blocks that were chosen from all there are. */
  partsOf<B extends HasMeta>(chosen: readonly ChosenBlock<B>[]): ChosenBlock<B>[] {
    return chosen.flatMap((one) => this.#partsOf(one));
  }

  /** Cells that follow each other are one part. */
  #partsOf<B extends HasMeta>({ block, mint, maxt }: ChosenBlock<B>): ChosenBlock<B>[] {
    const [first, last] = [this.#cellOf(mint), this.#cellOf(maxt)];
    if (last - first >= CELLS_MAX) return this.#owns(first) ? [{ block, mint, maxt }] : [];
    const parts: { block: B; mint: number; maxt: number }[] = [];
    for (let cell = first; cell <= last; cell++) {
      if (!this.#owns(cell)) continue;
      const start = Math.max(mint, cell * this.#spanMs);
      const end = Math.min(maxt, (cell + 1) * this.#spanMs - 1);
      const before = parts.at(-1);
      if (before?.maxt === start - 1) before.maxt = end;
      else parts.push({ block, mint: start, maxt: end });
    }
    return parts;
  }

  #cellOf(t: number): number {
    return Math.floor(t / this.#spanMs);
  }

  #owns(cell: number): boolean {
    let owns = this.#known.get(cell);
    if (owns === undefined) {
      owns = this.#ownsCell(cell);
      this.#known.set(cell, owns);
    }
    return owns;
  }
}
