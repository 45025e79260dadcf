import type { Matcher } from '../../model/matcher.ts';
import { intersect, merge, without } from './postings.ts';

/** What selecting needs of an index. */
export interface PostingsSource {
  readonly offsets: {
    find(name: string, value: string): number | undefined;
    visitValues(name: string, from: string, visit: (value: string, postings: number) => boolean): void;
  };
  allPostings(): Uint32Array;
  postingsAt(offset: number | undefined): Uint32Array;
}

/**
 * Refs of the series that all matchers select, as Prometheus: an absent label is an empty value. A matcher that refuses
 * the empty value keeps series with an accepted value; one that takes it removes series with a refused value.
 */
export function selectPostings(source: PostingsSource, matchers: readonly Matcher[]): Uint32Array {
  const wanted = matchers.filter((matcher) => !matchesAnything(matcher));
  const keeping = wanted.filter((matcher) => !matcher.matchesEmpty);
  const lists = keeping.map((matcher) => merge(postingsWhere(source, matcher, true)));
  lists.sort((a, b) => a.length - b.length);
  let refs = lists.length > 0 ? lists[0] : source.allPostings();
  for (const list of lists.slice(1)) refs = intersect(refs, list);
  for (const matcher of wanted.filter((matcher) => matcher.matchesEmpty)) {
    if (refs.length === 0) break;
    refs = without(refs, merge(postingsWhere(source, matcher, false)));
  }
  return refs;
}

function matchesAnything({ type, value }: Matcher): boolean {
  return type === '=~' && value === '.*';
}

/** Postings of the label's values that the matcher accepts, or refuses; at least one list. */
function postingsWhere(source: PostingsSource, matcher: Matcher, accepted: boolean): Uint32Array[] {
  const lists = offsetsWhere(source, matcher, accepted).map((offset) => source.postingsAt(offset));
  return lists.length > 0 ? lists : [new Uint32Array(0)];
}

function offsetsWhere(source: PostingsSource, matcher: Matcher, accepted: boolean): number[] {
  const { name, type, value } = matcher;
  const known = accepted ? matcher.setMatches : type === '!=' ? [value] : undefined;
  if (known)
    return [...new Set(known)]
      .map((one) => source.offsets.find(name, one))
      .filter((offset) => offset !== undefined);
  const offsets: number[] = [];
  const prefix = accepted ? matcher.prefix : '';
  source.offsets.visitValues(name, prefix, (one, offset) => {
    if (!one.startsWith(prefix)) return false;
    if (matcher.matches(one) === accepted) offsets.push(offset);
    return true;
  });
  return offsets;
}
