import { VeronaError } from '../../../model/errors.ts';
import type { Exemplar } from '../../../model/exemplar.ts';
import type { AnyHistogram } from '../../../model/histogram.ts';
import type { Labels } from '../../../model/labels.ts';
import type { MetricType } from '../../../model/metadata.ts';

export const EntryKind = { end: 0, series: 1, histogram: 2, type: 3, help: 4, unit: 5, comment: 6 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** An exemplar as exposed: without a timestamp it has that of its sample. */
export type ExposedExemplar = Pick<Exemplar, 'labels' | 'value'> & { readonly t: number | undefined };

/**
 * What a target exposes, entry by entry. What the fields and methods say is about the entry that `next` came to last;
 * labels and exemplars are made only when asked for.
 */
export interface ExpositionParser {
  /** Throws `bad_data` where the exposition is malformed, with the line or the offset; there is no going on then. */
  next(): EntryKind;
  /** A text that is the same for the same series and differs for others, for the memory of a target: one byte, one character. */
  readonly key: string;
  /** Of a float sample. */
  readonly value: number;
  readonly histogram: AnyHistogram | undefined;
  /** Exposed timestamp, ms; NaN when there is none. */
  readonly t: number;
  /** When the counter began, ms; 0 when that is unknown. */
  readonly startT: number;
  labels(): Labels;
  /** Names that `labels` came with an empty value for: they are no labels, but say that there is none. */
  readonly emptyLabels: readonly string[];
  /** A label name that the labels have twice; the text formats let that through. */
  readonly duplicateLabel: string | undefined;
  exemplars(): readonly ExposedExemplar[];
  /** Of the last entry of that kind. `family` is the metric family that it is about. */
  readonly family: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

/** A parser of text, which can pass over what is known from the last time without looking at it closely. */
export interface TextExpositionParser extends ExpositionParser {
  /** Whether the line that begins here is a sample of the series with this key; it is read then, as by `next`. */
  takeSeries(key: string): boolean;
  /** Whether these lines begin here, which were no samples; they are passed over then. */
  takeText(text: string): boolean;
  /** The text of the entry that `next` came to last. */
  text(): string;
  /** To be told when a line of a type was passed over. */
  setType(type: MetricType): void;
}

const QUOTED_LENGTH_MAX = 100;

/** Throws `bad_data` with the number of the line of `at` and its text. */
export function failAt(bytes: Uint8Array, at: number, message: string): never {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = at === 0 ? 0 : text.lastIndexOf(10, at - 1) + 1;
  const found = text.indexOf(10, at);
  const end = Math.min(found === -1 ? text.length : found, start + QUOTED_LENGTH_MAX);
  let line = 1;
  for (let i = text.indexOf(10); i !== -1 && i < start; i = text.indexOf(10, i + 1)) line++;
  throw new VeronaError(
    'bad_data',
    `line ${line}: ${message}, in ${JSON.stringify(text.toString('utf8', start, Math.max(start, end)))}`,
  );
}
