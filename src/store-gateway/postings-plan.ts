import { METRIC_NAME } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { IndexHeader } from './index-header.ts';
import type { ByteRange } from './ranges.ts';

/** Lists that are united, of the values that a matcher takes, or of those that it refuses. */
interface Group {
  readonly matcher: Matcher;
  readonly lists: readonly ByteRange[];
}

/** How the series of some matchers are found: which lists are read, and which matchers are left for the series themselves. */
export interface PostingsPlan {
  /** Every selected series is in each of these. Never empty; one without lists selects nothing. */
  readonly wanted: readonly Group[];
  /** And in none of these. */
  readonly unwanted: readonly Group[];
  /** To be asked of each series that is left: their lists would cost more than reading some series in vain. */
  readonly lazy: readonly Matcher[];
  /** Where all the series are that can be selected, when they lie together and are worth reading before it is known which. */
  readonly ahead: ByteRange | undefined;
}

/** What a series entry takes, about, in the measure of what a list costs. */
const ENTRY_BYTES = 256;
/** What a list costs whatever its length, also one that is known: looking it up, and merging it. */
const LIST_COST_BYTES = 128;
/** Lists up to this size are never put off. */
const SMALL_LIST_BYTES = 16 * 1024;
const LIST_OVERHEAD_BYTES = 12;
/** Read along with the lists rather than after them: what a round trip would have brought meanwhile. */
const AHEAD_BYTES_MAX = 4 * 1024 * 1024;
/** At most this many times what will be needed is read ahead. */
const AHEAD_SHARE = 4;
const AHEAD_BYTES_FREE = 128 * 1024;

/** `isKnown` tells of lists that need not be read. */
export function planPostings(
  header: IndexHeader,
  matchers: readonly Matcher[],
  isKnown: (list: ByteRange) => boolean,
): PostingsPlan {
  const { keeping, removing } = groupsOf(header, matchers);
  if (keeping.some(({ lists }) => lists.length === 0))
    return {
      wanted: [keeping.find(({ lists }) => lists.length === 0) as Group],
      unwanted: [],
      lazy: [],
      ahead: undefined,
    };
  const cost = ({ lists }: Group) => bytesOf(lists.filter((list) => !isKnown(list)));
  const [base, ...others] = keeping.sort((a, b) => bytesOf(a.lists) - bytesOf(b.lists));
  const seriesMax = countOf(base.lists);
  // The more lists have been taken, the fewer series are left for the next one to leave out.
  let left = seriesMax;
  const isWorth = (group: Group) => {
    const toRead = cost(group);
    const all = toRead + LIST_COST_BYTES * group.lists.length;
    const isTaken = all <= Math.max(SMALL_LIST_BYTES, (left * ENTRY_BYTES) / 2);
    if (isTaken && toRead > 0) left /= 2;
    return isTaken;
  };
  const wanted = [base, ...others.filter(isWorth)];
  const unwanted = removing.filter(isWorth);
  const taken = new Set([...wanted, ...unwanted]);
  const lazy = [...keeping, ...removing].filter((group) => !taken.has(group)).map(({ matcher }) => matcher);
  const isCold = [...wanted, ...unwanted].some((group) => cost(group) > 0);
  return { wanted, unwanted, lazy, ahead: isCold ? aheadOf(header, matchers, seriesMax) : undefined };
}

function groupsOf(
  header: IndexHeader,
  matchers: readonly Matcher[],
): { keeping: Group[]; removing: Group[] } {
  const keeping: Group[] = [];
  const removing: Group[] = [];
  for (const matcher of matchers) {
    if (!matcher.matchesEmpty) keeping.push({ matcher, lists: listsOf(header, matcher) });
    else {
      const lists = header.postingsWhere(matcher.name, (value) => !matcher.matches(value));
      if (lists.length > 0) removing.push({ matcher, lists });
    }
  }
  if (keeping.length === 0) {
    const all = header.postings('', '');
    keeping.push({ matcher: matchers[0], lists: all ? [all] : [] });
  }
  return { keeping, removing };
}

function listsOf(header: IndexHeader, matcher: Matcher): ByteRange[] {
  const { setMatches, name, prefix } = matcher;
  if (!setMatches) return header.postingsWhere(name, (value) => matcher.matches(value), prefix);
  return [...new Set(setMatches)].flatMap((value) => header.postings(name, value) ?? []);
}

/** The series of the metric that is asked for, unless far fewer can be wanted. */
function aheadOf(
  header: IndexHeader,
  matchers: readonly Matcher[],
  seriesMax: number,
): ByteRange | undefined {
  const name = matchers.find((matcher) => matcher.name === METRIC_NAME && matcher.setMatches?.length === 1);
  const range = name && header.seriesOf(name.setMatches?.[0] ?? '');
  const bytesMax = Math.max(
    AHEAD_BYTES_FREE,
    Math.min(AHEAD_BYTES_MAX, AHEAD_SHARE * seriesMax * ENTRY_BYTES),
  );
  return range && range.end - range.start <= bytesMax ? range : undefined;
}

function bytesOf(lists: readonly ByteRange[]): number {
  return lists.reduce((bytes, { start, end }) => bytes + end - start, 0);
}

/** Series in all of the lists, at most. */
function countOf(lists: readonly ByteRange[]): number {
  return Math.max(0, (bytesOf(lists) - LIST_OVERHEAD_BYTES * lists.length) / 4);
}
