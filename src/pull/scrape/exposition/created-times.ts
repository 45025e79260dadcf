import type { MetricType } from '../../../model/metadata.ts';
import { EntryOf } from './entry-of.ts';
import { OpenMetricsText } from './open-metrics.ts';
import { EntryKind } from './parser.ts';

const CREATED = '_created';
/** Types whose series may say when they began, and the endings of names of series that then do. */
const ENDINGS: { readonly [T in MetricType]?: readonly string[] } = {
  counter: ['_total', ''],
  histogram: ['_bucket', '_count', '_sum', ''],
  gaugehistogram: ['_bucket', '_gcount', '_gsum', ''],
  summary: ['_count', '_sum', ''],
};

/**
 * OpenMetrics text in which series named `…_created` are no samples but the times at which the series beside them began, as
 * Prometheus reads it when it keeps such times. They come behind what they are about, so that the text is read twice.
 */
export class CreatedTimes extends EntryOf<OpenMetricsText> {
  /** By family and the labels of the series, ms. */
  readonly #times = new Map<string, number>();
  #family = '';
  #startT = 0;

  /** A text that is malformed fails in `next`, behind what is good of it. */
  constructor(bytes: Uint8Array) {
    super(new OpenMetricsText(bytes));
    this.#collect(new OpenMetricsText(bytes));
  }

  #collect(text: OpenMetricsText): void {
    let family = '';
    try {
      for (let kind = text.next(); kind !== EntryKind.end; kind = text.next()) {
        if (kind === EntryKind.type) family = text.family;
        if (kind !== EntryKind.series || !isCreated(text, family)) continue;
        const t = Math.trunc(text.value * 1000);
        if (Number.isSafeInteger(t) && t > 0) this.#times.set(`${family}${labelsOf(text.key)}`, t);
      }
    } catch {
      // The second reading comes to the same place.
    }
  }

  next(): EntryKind {
    for (;;) {
      const kind = this.inner.next();
      if (kind === EntryKind.type) this.#family = this.inner.family;
      if (kind === EntryKind.series) {
        if (isCreated(this.inner, this.#family)) continue;
        this.#startT = this.#times.size === 0 ? 0 : this.#startOf();
      }
      return kind;
    }
  }

  #startOf(): number {
    const { key, type } = this.inner;
    const name = nameOf(key);
    if (!ENDINGS[type]?.some((ending) => name === this.#family + ending)) return 0;
    const own = type === 'summary' ? 'quantile' : type.endsWith('histogram') ? 'le' : '';
    return this.#times.get(`${this.#family}${labelsOf(key, own)}`) ?? 0;
  }

  override get startT(): number {
    return this.#startT;
  }
}

function isCreated({ key, type }: OpenMetricsText, family: string): boolean {
  return ENDINGS[type] !== undefined && nameOf(key) === family + CREATED;
}

/** Of a series as exposed; a name in quotes stands in its braces and is none here. */
function nameOf(key: string): string {
  const brace = key.indexOf('{');
  return brace === -1 ? key : key.slice(0, brace);
}

/** The labels of a series as exposed, without the one named `except`: a pair each, in their order. */
function labelsOf(key: string, except = ''): string {
  const brace = key.indexOf('{');
  if (brace === -1) return '';
  let pairs = '';
  for (let at = brace + 1; at < key.length - 1; ) {
    const end = pairEnd(key, at);
    const pair = key.slice(at, end);
    if (except === '' || !pair.startsWith(`${except}=`)) pairs += `,${pair}`;
    at = end + 1;
  }
  return pairs;
}

/** Where the pair that begins at `at` ends: at the comma or brace behind its value. */
function pairEnd(key: string, at: number): number {
  let i = key.indexOf('"', at);
  if (i === -1) return key.length - 1;
  for (i++; i < key.length && key[i] !== '"'; i++) if (key[i] === '\\') i++;
  return i + 1;
}
