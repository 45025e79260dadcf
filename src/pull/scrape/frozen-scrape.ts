import type { SeriesTarget } from '../../storage/series-writer.ts';
import { parseGoFloat } from './exposition/go-float.ts';
import type { FrozenLines } from './frozen-lines.ts';
import type { ReadScrape } from './read-scrape.ts';
import type { ScrapeBatch, StoredCounts } from './scrape-batch.ts';
import type { ScrapedBody } from './scrape-request.ts';

/** The values of a body whose lines are known, in memory of the kernel. Undefined when they are not, or one is no number. */
export function readKnownValues({ bytes, values: found }: ScrapedBody): Float64Array | undefined {
  if (found === undefined) return undefined;
  const { values, odd } = found;
  for (let i = 0; i < odd.length; i += 3) {
    const value = parseGoFloat(bytes, odd[i + 1], odd[i + 2]);
    if (value === undefined) return undefined;
    values[odd[i]] = value;
  }
  return values;
}

/** Stores the values of a scrape; numbers of those that were refused, which are few. */
export function storeFrozen(
  { slots }: FrozenLines,
  values: Float64Array,
  target: SeriesTarget,
  t: number,
  counts: StoredCounts,
): readonly number[] {
  const refused: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const slot = slots[i];
    if (slot === 0) continue;
    const outcome = target.append(slot, t, values[i]);
    if (outcome === 'ok' || outcome === 'duplicate') counts.samples++;
    else {
      counts.refuse(outcome);
      refused.push(i);
    }
  }
  return refused;
}

/** Scrapes in a row that must be alike before lines are frozen: at first, and for targets that change again and again. */
const ALIKE_MIN = 1;
const ALIKE_MAX = 64;

/** Decides when the lines of a target are frozen. Whenever it was wrong the target has to wait twice as long. */
export class Freezing {
  #alike = 0;
  #wanted = ALIKE_MIN;
  #hasFrozen = false;

  /** After a scrape that was read line by line; `freeze` is called when the lines are worth it. */
  note(read: ReadScrape, batch: ScrapeBatch, counts: StoredCounts, freeze: () => void): void {
    if (this.#hasFrozen) this.#wanted = Math.min(2 * this.#wanted, ALIKE_MAX);
    this.#hasFrozen = false;
    this.#alike = isPlainRepetition(read, batch, counts) ? this.#alike + 1 : 0;
    if (this.#alike < this.#wanted) return;
    this.#hasFrozen = true;
    this.#alike = 0;
    freeze();
  }
}

/** Whether all lines came as the last time, each with a value and nothing else, and all were stored. */
function isPlainRepetition(read: ReadScrape, batch: ScrapeBatch, { refusedCounts }: StoredCounts): boolean {
  if (!read.isRepetition || read.problem !== undefined || read.duplicates > 0 || refusedCounts.size > 0)
    return false;
  if (batch.histograms.size > 0 || batch.startTimes.size > 0 || batch.exemplars.length > 0) return false;
  for (let i = 0; i < batch.count; i++) if (!Number.isNaN(batch.times[i])) return false;
  return true;
}
