import { formatDuration } from '../model/duration.ts';
import type { StoreCounts } from '../objstore/store-counts.ts';
import type { Clock } from '../platform/clock.ts';
import { readableBytes } from '../tsdb/tools/list.ts';

/** Where a person, or a log, sees how far something is. */
export interface ProgressOutput {
  /** Whether a line can be replaced by the next one. */
  readonly isTerminal: boolean;
  write(text: string): void;
}

/** How often the line is drawn anew on a terminal, and written where lines stay. */
const REDRAW_MS = 1_000;
const LINE_MS = 10_000;
/** Before that the time that is left is a guess. */
const ETA_AFTER_MS = 2_000;

type Way = 'read' | 'written';

/** How much of something is done: a number 0 … 1, or as much as went over of the thing's bytes. */
type Part = number | Way;

interface Now {
  readonly name: string;
  readonly step: string;
  readonly part: Part;
  readonly from: number;
  readonly share: number;
}

/** Begins a line anew. */
export const CLEAR_LINE = '\r\x1b[K';

/**
 * How far a number of things are, by their bytes:
 *
 *     3/12 blocks, 24% of 5.0GiB, about 3m10s left: acme/01J…: download 40% (1.2GiB read, 0B written)
 *
 * Drawn every second on a terminal, whatever is going on, and written every ten seconds elsewhere. Whoever writes something else
 * calls `clear` first; nothing is drawn after `close`.
 */
export class Progress {
  readonly #what: string;
  readonly #weights: readonly number[];
  readonly #total: number;
  readonly #counts: StoreCounts;
  readonly #clock: Clock;
  readonly #out: ProgressOutput;
  readonly #beganAt: number;
  #cancelTimer: () => void;
  #item = 0;
  #ended = 0;
  #done = 0;
  #now: Now = { name: '', step: '', part: 0, from: 0, share: 1 };
  #before = { read: 0, written: 0 };
  #isShown = false;

  /** `weights` are the bytes of the things, in their order; none of them when they are only counted. */
  constructor(
    what: string,
    weights: readonly number[],
    { counts, clock, out }: { counts: StoreCounts; clock: Clock; out: ProgressOutput },
  ) {
    this.#what = what;
    this.#weights = weights;
    this.#total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#counts = counts;
    this.#clock = clock;
    this.#out = out;
    this.#beganAt = clock.monotonic();
    this.#cancelTimer = this.#schedule();
  }

  /** The next thing, and its name. It is as far as its bytes are that go this way, if one is named. */
  begin(name: string, part: Part = 0): void {
    this.#item++;
    this.#now = { name, step: '', part, from: 0, share: 1 };
    this.#before = this.#moved;
  }

  /** What is done to the thing, and how much of that. Of the whole thing it is the part `from` … `from + share`. */
  step(step: string, part: Part, from: number, share: number): void {
    this.#now = { ...this.#now, step, part, from, share };
  }

  /** What was begun is done, or has failed. */
  end(): void {
    this.#done += this.#weights[this.#ended] ?? 0;
    this.#ended++;
    this.#now = { ...this.#now, part: 0, from: 0 };
  }

  line(): string {
    const { name, step, from, share } = this.#now;
    const part = this.#part;
    const done = this.#done + (from + share * part) * (this.#weights[this.#ended] ?? 0);
    const whole = this.#total === 0 ? 0 : done / this.#total;
    const parts = [`${this.#item}/${this.#weights.length} ${this.#what}`];
    if (this.#total > 0)
      parts.push(`${Math.floor(whole * 100)}% of ${readableBytes(this.#total)}`, ...this.#left(whole));
    const text = step === '' ? name : `${name}: ${step} ${Math.floor(part * 100)}%`;
    const { read, written } = this.#moved;
    return `${parts.join(', ')}: ${text} (${readableBytes(read)} read, ${readableBytes(written)} written)`;
  }

  /** Takes the line away, to be drawn again later. */
  clear(): void {
    if (this.#isShown) this.#out.write(CLEAR_LINE);
    this.#isShown = false;
  }

  close(): void {
    this.#cancelTimer();
    this.clear();
  }

  #left(share: number): string[] {
    const tookMs = this.#clock.monotonic() - this.#beganAt;
    if (tookMs < ETA_AFTER_MS || share <= 0 || share >= 1) return [];
    const seconds = Math.ceil(((tookMs / share) * (1 - share)) / 1000);
    return [`about ${formatDuration(seconds * 1000)} left`];
  }

  /** How much of the step is done, 0 … 1. */
  get #part(): number {
    const { part } = this.#now;
    if (typeof part === 'number') return Math.min(1, Math.max(0, part));
    const weight = this.#weights[this.#ended] ?? 0;
    return weight === 0 ? 0 : Math.min(1, (this.#moved[part] - this.#before[part]) / weight);
  }

  get #moved(): Readonly<Record<Way, number>> {
    return { read: this.#counts.bytesRead, written: this.#counts.bytesWritten };
  }

  #schedule(): () => void {
    return this.#clock.after(this.#out.isTerminal ? REDRAW_MS : LINE_MS, () => {
      this.#draw();
      this.#cancelTimer = this.#schedule();
    });
  }

  #draw(): void {
    if (this.#item === 0) return;
    this.#isShown = this.#out.isTerminal;
    this.#out.write(this.#out.isTerminal ? `${CLEAR_LINE}${this.line()}` : `${this.line()}\n`);
  }
}
