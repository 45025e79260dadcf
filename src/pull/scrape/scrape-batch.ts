import type { AnyHistogram } from '../../model/histogram.ts';
import type { AppendOutcome } from '../../storage/appender.ts';
import type { SeriesTarget, WriteCounts } from '../../storage/series-writer.ts';
import type { ExposedExemplar } from './exposition/parser.ts';
import type { KnownLine } from './known-line.ts';
import type { KnownLines } from './known-lines.ts';

const CAPACITY = 1024;

/** The samples of one scrape in columns, before they are stored. One batch serves all targets in turn: it is used within one turn of the event loop. */
export class ScrapeBatch {
  count = 0;
  readonly lines: KnownLine[] = [];
  values = new Float64Array(CAPACITY);
  /** ms; NaN for the time of the scrape. */
  times = new Float64Array(CAPACITY);
  /** By number of the sample. */
  readonly histograms = new Map<number, AnyHistogram>();
  readonly startTimes = new Map<number, number>();
  readonly exemplars: { readonly line: KnownLine; readonly exemplar: ExposedExemplar; readonly t: number }[] =
    [];

  clear(): void {
    this.count = 0;
    this.histograms.clear();
    this.startTimes.clear();
    this.exemplars.length = 0;
  }

  /** Adds a sample; its number. */
  add(line: KnownLine, t: number, value: number): number {
    const index = this.count++;
    if (index === this.values.length) this.#grow();
    this.lines[index] = line;
    this.times[index] = t;
    this.values[index] = value;
    return index;
  }

  #grow(): void {
    const grown = (column: Float64Array) => {
      const larger = new Float64Array(2 * column.length);
      larger.set(column);
      return larger;
    };
    this.values = grown(this.values);
    this.times = grown(this.times);
  }
}

/** What became of the samples of one scrape. */
export class StoredCounts implements WriteCounts {
  samples = 0;
  histograms = 0;
  exemplars = 0;
  seriesAdded = 0;
  readonly refusedCounts = new Map<AppendOutcome, number>();
  /** Of the last series that was not made. */
  refusal = '';

  refuse(outcome: AppendOutcome): void {
    this.refusedCounts.set(outcome, (this.refusedCounts.get(outcome) ?? 0) + 1);
  }
}

/** Stores a batch: `t` is the time of the scrape, ms. Lines learn where their series are, and are tracked for staleness. */
export function storeBatch(
  batch: ScrapeBatch,
  known: KnownLines,
  target: SeriesTarget,
  t: number,
  tracksTimestamps: boolean,
  counts: StoredCounts,
): void {
  for (let i = 0; i < batch.count; i++) {
    const line = batch.lines[i];
    const isNew = line.slot === 0;
    if (isNew && !findSlot(line, target, counts)) continue;
    const given = batch.times[i];
    const hasTime = !Number.isNaN(given);
    const at = hasTime ? given : t;
    const outcome = storeSample(batch, i, line, at, target, counts);
    if (outcome !== 'ok' && outcome !== 'duplicate') {
      counts.refuse(outcome);
      continue;
    }
    if (!hasTime || tracksTimestamps) known.track(line);
    countAdded(line, counts);
  }
  for (const { line, exemplar, t: sampleT } of batch.exemplars)
    storeExemplar(line, exemplar, Number.isNaN(sampleT) ? t : sampleT, target, counts);
}

/** Counts a line that is new, once. */
export function countAdded(line: KnownLine, counts: StoredCounts): void {
  if (line.isCounted) return;
  line.isCounted = true;
  counts.seriesAdded++;
}

/** Makes the series of a line, or finds it; false when it is refused. */
export function findSlot(line: KnownLine, target: SeriesTarget, counts: StoredCounts): boolean {
  if (line.labels === undefined) return false;
  const found = target.resolve(line.labels);
  if (typeof found !== 'number') {
    counts.refuse(found.outcome);
    counts.refusal = found.reason;
    return false;
  }
  line.slot = found;
  line.ref = target.refOf(found);
  line.labels = undefined;
  return true;
}

function storeSample(
  batch: ScrapeBatch,
  index: number,
  line: KnownLine,
  t: number,
  target: SeriesTarget,
  counts: StoredCounts,
): AppendOutcome {
  const histogram = batch.histograms.size === 0 ? undefined : batch.histograms.get(index);
  const startT = batch.startTimes.size === 0 ? 0 : (batch.startTimes.get(index) ?? 0);
  if (histogram === undefined) {
    const outcome = target.append(line.slot, t, batch.values[index], startT);
    if (outcome === 'ok' || outcome === 'duplicate') counts.samples++;
    return outcome;
  }
  const outcome = target.appendHistogram(line.slot, t, histogram, startT);
  if (outcome === 'ok' || outcome === 'duplicate') counts.histograms++;
  return outcome;
}

function storeExemplar(
  { slot }: KnownLine,
  exemplar: ExposedExemplar,
  sampleT: number,
  target: SeriesTarget,
  counts: StoredCounts,
): void {
  if (slot === 0) return;
  const { labels, value, t } = exemplar;
  const outcome = target.appendExemplar(slot, {
    labels,
    value,
    t: t ?? sampleT,
    hasTimestamp: t !== undefined,
  });
  if (outcome === 'ok' || outcome === 'duplicate') counts.exemplars++;
  else counts.refuse('invalid_exemplar');
}
