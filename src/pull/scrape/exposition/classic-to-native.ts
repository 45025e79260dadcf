import type { AnyHistogram } from '../../../model/histogram.ts';
import { type Labels, METRIC_NAME } from '../../../model/labels.ts';
import { ClassicHistogram } from './classic-histogram.ts';
import { EntryOf } from './entry-of.ts';
import { parseGoFloatText } from './go-float.ts';
import { EntryKind, type ExposedExemplar, type ExpositionParser } from './parser.ts';

const SUFFIXES = ['_bucket', '_sum', '_count'] as const;

/** The parts of one histogram, seen so far. */
interface Collected {
  readonly labels: Labels;
  readonly parts: ClassicHistogram;
  readonly exemplars: ExposedExemplar[];
  t: number;
  startT: number;
}

/** The entries of a text with native histograms in the place of classic ones, or behind them when `keepClassic`. */
export class ClassicToNative extends EntryOf<ExpositionParser> {
  readonly #keepClassic: boolean;
  #collecting: Collected | undefined;
  /** The histogram that `next` came to, before the entry of `inner` that ended it. */
  #made: (Collected & { readonly histogram: AnyHistogram }) | undefined;
  #held: EntryKind | undefined;
  #typeFamily = '';

  constructor(inner: ExpositionParser, keepClassic: boolean) {
    super(inner);
    this.#keepClassic = keepClassic;
  }

  next(): EntryKind {
    for (;;) {
      this.#made = undefined;
      const kind = this.#held ?? this.inner.next();
      this.#held = undefined;
      if (kind === EntryKind.type) this.#typeFamily = this.inner.family;
      const part = kind === EntryKind.series ? this.#partOf() : undefined;
      if (this.#ends(part?.labels) && this.#finish(kind)) return EntryKind.histogram;
      if (part === undefined) return kind;
      this.#collect(part);
      if (this.#keepClassic) return kind;
    }
  }

  /** Whether what was collected is complete before a part with these labels, or something else. */
  #ends(labels: Labels | undefined): boolean {
    if (this.#collecting === undefined) return false;
    return labels === undefined || !labels.equals(this.#collecting.labels);
  }

  /** Turns what was collected into a histogram, if that is possible, and keeps the entry for later. */
  #finish(kind: EntryKind): boolean {
    const collected = this.#collecting as Collected;
    this.#collecting = undefined;
    const histogram = collected.parts.convert();
    if (histogram === undefined) return false;
    this.#made = { ...collected, histogram };
    this.#held = kind;
    return true;
  }

  /** What the sample is of a classic histogram of the family of the last TYPE; undefined when nothing. */
  #partOf(): { readonly labels: Labels; readonly suffix: string; readonly bound: number } | undefined {
    if (this.inner.type !== 'histogram') return undefined;
    const labels = this.inner.labels();
    const name = labels.get(METRIC_NAME);
    const suffix = SUFFIXES.find((one) => name === this.#typeFamily + one);
    if (suffix === undefined) return undefined;
    const bound = suffix === '_bucket' ? parseGoFloatText(labels.get('le')) : 0;
    if (bound === undefined || Number.isNaN(bound)) return undefined;
    return { labels: labels.with({ le: '', [METRIC_NAME]: this.#typeFamily }), suffix, bound };
  }

  #collect({ labels, suffix, bound }: { labels: Labels; suffix: string; bound: number }): void {
    const { inner } = this;
    this.#collecting ??= { labels, parts: new ClassicHistogram(), exemplars: [], t: Number.NaN, startT: 0 };
    const { parts, exemplars } = this.#collecting;
    this.#collecting.t = inner.t;
    this.#collecting.startT = inner.startT;
    // As Prometheus: native histograms have exemplars only with a time of their own.
    exemplars.push(...inner.exemplars().filter(({ t }) => t !== undefined));
    if (suffix === '_bucket') parts.setBucket(bound, inner.value);
    else if (suffix === '_sum') parts.setSum(inner.value);
    else parts.setCount(inner.value);
  }

  override get key(): string {
    // No series of a text begins with a zero byte.
    return this.#made === undefined ? super.key : `\0${this.#made.labels.key()}`;
  }

  override get histogram(): AnyHistogram | undefined {
    return this.#made?.histogram;
  }

  override get t(): number {
    return this.#made?.t ?? super.t;
  }

  override get startT(): number {
    return this.#made?.startT ?? super.startT;
  }

  override labels(): Labels {
    return this.#made?.labels ?? super.labels();
  }

  override get duplicateLabel(): string | undefined {
    return this.#made === undefined ? super.duplicateLabel : undefined;
  }

  override exemplars(): readonly ExposedExemplar[] {
    return this.#made?.exemplars ?? super.exemplars();
  }
}
