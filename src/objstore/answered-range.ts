import { VeronaError } from '../model/errors.ts';

/** A range as it was asked for; undefined asks for the whole object. */
export type AskedRange = { readonly offset: number; readonly length: number } | undefined;

/** What the head of an answer says of its body. */
export interface AnsweredRange {
  /** `bytes first-last/total`. */
  readonly contentRange?: string | undefined;
  readonly contentLength?: number | undefined;
}

/**
 * The length of the body that answers a range, as the store announced it; undefined when it did not. Throws `internal` unless it
 * is the very range: a store, or what stands before it, that leaves out ranges or cuts them would pass as the object's end.
 */
export function answeredLength(
  what: string,
  asked: AskedRange,
  { contentRange, contentLength }: AnsweredRange,
): number | undefined {
  if (asked === undefined) return contentLength;
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(contentRange ?? '') ?? [];
  const length = Number(last) - Number(first) + 1;
  const isAsked = Number(first) === asked.offset && length <= asked.length;
  const isWhole = length === asked.length || Number(last) + 1 === Number(total);
  if (isAsked && isWhole && (contentLength ?? length) === length) return length;
  throw new VeronaError(
    'internal',
    `${what}: the store answered ${JSON.stringify(contentRange ?? 'no range')}, ${asked.length} bytes from ${asked.offset} were asked for`,
  );
}
