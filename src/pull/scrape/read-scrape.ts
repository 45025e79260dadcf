import { VeronaError } from '../../model/errors.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import { reduceResolution, usesCustomBuckets } from '../../model/histogram-shape.ts';
import { EXPONENTIAL_SCHEMA_MAX, validateHistogram } from '../../model/histogram-validate.ts';
import type { Metadata } from '../../model/metadata.ts';
import { type MediaType, openExposition } from './exposition/open-exposition.ts';
import { EntryKind, type ExpositionParser, type TextExpositionParser } from './exposition/parser.ts';
import type { HistogramOptions } from './exposition/protobuf.ts';
import { type FamilyMetadata, KnownLine } from './known-line.ts';
import type { KnownLines } from './known-lines.ts';
import type { SampleLabels } from './sample-labels.ts';
import type { ScrapeBatch } from './scrape-batch.ts';

const EXPONENTIAL_SCHEMA_MIN = -4;

export interface ReadOptions {
  readonly honorTimestamps: boolean;
  /** Samples that a scrape may have after relabelling; 0 for no limit. */
  readonly sampleLimit: number;
  /** Buckets of a native histogram; 0 for no limit. */
  readonly bucketLimit: number;
  /** Native histograms of a higher resolution are reduced to this schema. */
  readonly schemaMax: number;
  readonly fallback: MediaType | undefined;
}

/** What a body held. */
export interface ReadScrape {
  /** Samples, and samples left after relabelling. */
  readonly total: number;
  readonly added: number;
  /** Samples of series that were in the body before. */
  readonly duplicates: number;
  /** Why the scrape fails: malformed at some point, or a limit was hit. */
  readonly problem: VeronaError | undefined;
  /** Lines that came as the last time, and whether all did. */
  readonly repeated: number;
  readonly isRepetition: boolean;
}

/** Reads the body of a scrape into an empty batch; nothing is stored. Lines that are known are recognized by their bytes. */
export function readScrape(
  body: Uint8Array,
  contentType: string,
  histograms: HistogramOptions,
  options: ReadOptions,
  known: KnownLines,
  labels: SampleLabels,
  batch: ScrapeBatch,
): ReadScrape {
  const reading = new Reading(options, known, labels, batch);
  try {
    const { parser, text } = openExposition(body, contentType, options.fallback, histograms);
    if (text === undefined) reading.readEntries(parser);
    else reading.readText(text);
  } catch (error) {
    if (!(error instanceof VeronaError)) throw error;
    reading.problem = error;
  }
  return reading;
}

class Reading implements ReadScrape {
  readonly #options: ReadOptions;
  readonly #known: KnownLines;
  readonly #labels: SampleLabels;
  readonly #batch: ScrapeBatch;
  /** A family that has no series to stand for it yet: text about a family comes before its series. */
  #awaiting: FamilyMetadata | undefined;
  total = 0;
  added = 0;
  duplicates = 0;
  problem: VeronaError | undefined;
  repeated = 0;
  isRepetition = false;

  constructor(options: ReadOptions, known: KnownLines, labels: SampleLabels, batch: ScrapeBatch) {
    this.#options = options;
    this.#known = known;
    this.#labels = labels;
    this.#batch = batch;
  }

  readText(parser: TextExpositionParser): void {
    let last = this.#known.first;
    this.isRepetition = true;
    for (;;) {
      const guess = last.next;
      if (guess !== undefined && !guess.isForgotten && this.#takeKnown(parser, guess)) {
        last = guess;
        this.repeated++;
        continue;
      }
      const kind = parser.next();
      if (kind === EntryKind.end) return;
      this.isRepetition = false;
      const line = kind === EntryKind.series ? this.#seriesLine(parser) : this.#textLine(parser, kind);
      last.next = line;
      last = line;
    }
  }

  /** Takes the line that came here the last time, if it is here again. */
  #takeKnown(parser: TextExpositionParser, line: KnownLine): boolean {
    if (!line.isSeries) {
      if (!parser.takeText(line.key)) return false;
      this.#known.see(line);
      if (line.type !== undefined) parser.setType(line.type);
      if (line.family !== undefined) {
        line.family.seen = this.#known.iteration;
        this.#awaitSeries(line.family);
      }
      return true;
    }
    // A series without a place needs its labels, which are read on the other way.
    if (line.slot === 0 && !line.isDropped) return false;
    if (!parser.takeSeries(line.key)) return false;
    this.total++;
    this.#take(parser, line, undefined);
    return true;
  }

  readEntries(parser: ExpositionParser): void {
    for (;;) {
      const kind = parser.next();
      if (kind === EntryKind.end) return;
      if (kind === EntryKind.series || kind === EntryKind.histogram) this.#seriesLine(parser);
      else this.#noteFamily(parser, kind);
    }
  }

  #seriesLine(parser: ExpositionParser): KnownLine {
    const { key } = parser;
    this.total++;
    let line = this.#known.find(key);
    if (line === undefined || (line.slot === 0 && !line.isDropped)) {
      line = this.#newLine(parser, line ?? new KnownLine(key, true));
    }
    this.#take(parser, line, parser.histogram);
    return line;
  }

  /** Finds the labels of a line for the storage. */
  #newLine(parser: ExpositionParser, line: KnownLine): KnownLine {
    const exposed = parser.labels();
    const duplicate = parser.duplicateLabel;
    const labels = this.#labels.ofSample(exposed, parser.emptyLabels);
    if (labels !== undefined && duplicate !== undefined)
      throw new VeronaError(
        'bad_data',
        `label name ${JSON.stringify(duplicate)} is not unique: invalid sample`,
      );
    line.labels = labels;
    line.isDropped = labels === undefined;
    this.#known.add(line);
    return line;
  }

  #textLine(parser: TextExpositionParser, kind: EntryKind): KnownLine {
    const text = parser.text();
    const line = this.#known.find(text) ?? new KnownLine(text, false);
    this.#known.add(line);
    this.#known.see(line);
    if (kind === EntryKind.comment) return line;
    line.family = this.#noteFamily(parser, kind);
    if (kind === EntryKind.type) line.type = parser.type;
    return line;
  }

  #noteFamily(parser: ExpositionParser, kind: EntryKind): FamilyMetadata {
    const change: Partial<Metadata> =
      kind === EntryKind.type
        ? { type: parser.type }
        : kind === EntryKind.help
          ? { help: parser.help }
          : { unit: parser.unit };
    const family = this.#known.setMetadata(parser.family, change);
    this.#awaitSeries(family);
    return family;
  }

  #awaitSeries(family: FamilyMetadata): void {
    if (family.line === undefined || family.line.isForgotten) this.#awaiting = family;
  }

  #noteSeries(family: FamilyMetadata, line: KnownLine): void {
    this.#awaiting = undefined;
    if (line.key.startsWith(family.family)) family.line = line;
  }

  /** The sample that the parser stands at. */
  #take(parser: ExpositionParser, line: KnownLine, histogram: AnyHistogram | undefined): void {
    const isAgain = this.#known.see(line);
    if (line.isDropped) return;
    if (this.#awaiting !== undefined) this.#noteSeries(this.#awaiting, line);
    const t = this.#options.honorTimestamps ? parser.t : Number.NaN;
    if (isAgain && Number.isNaN(t)) this.duplicates++;
    else if (!this.#isBeyondLimit()) this.#add(parser, line, t, histogram);
    this.added++;
  }

  #isBeyondLimit(): boolean {
    const { sampleLimit } = this.#options;
    if (sampleLimit === 0 || this.#batch.count < sampleLimit) return false;
    this.problem ??= new VeronaError('limit', 'sample limit exceeded');
    return true;
  }

  #add(parser: ExpositionParser, line: KnownLine, t: number, histogram: AnyHistogram | undefined): void {
    const batch = this.#batch;
    if (histogram === undefined) batch.add(line, t, parser.value);
    else {
      const kept = this.#limitBuckets(histogram);
      if (kept === undefined) return;
      batch.histograms.set(batch.add(line, t, 0), kept);
    }
    if (parser.startT !== 0) batch.startTimes.set(batch.count - 1, parser.startT);
    for (const exemplar of parser.exemplars()) batch.exemplars.push({ line, exemplar, t });
  }

  /** With as few buckets as the limits want; undefined when that cannot be. Throws `bad_data` when it is no histogram. */
  #limitBuckets(histogram: AnyHistogram): AnyHistogram | undefined {
    const { bucketLimit, schemaMax } = this.#options;
    const isExponential = !usesCustomBuckets(histogram);
    let kept = histogram;
    validateHistogram(kept);
    if (isExponential && kept.schema > schemaMax) kept = reduceResolution(kept, schemaMax);
    while (bucketLimit > 0 && kept.positiveBuckets.length + kept.negativeBuckets.length > bucketLimit) {
      if (!isExponential || kept.schema <= EXPONENTIAL_SCHEMA_MIN) {
        this.problem ??= new VeronaError('limit', 'histogram bucket limit exceeded');
        return undefined;
      }
      kept = reduceResolution(kept, kept.schema - 1);
    }
    return kept;
  }
}

/** The highest schema whose buckets grow by `factor` at least, as Prometheus picks it. */
export function schemaOfFactor(factor: number): number {
  if (factor <= 1) return EXPONENTIAL_SCHEMA_MAX;
  const schema = Math.floor(-Math.log2(Math.log2(factor)));
  return Math.min(EXPONENTIAL_SCHEMA_MAX, Math.max(EXPONENTIAL_SCHEMA_MIN, schema));
}
