import { VeronaError } from '../model/errors.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';
import { isUlid, ulidTime } from '../tsdb/block/ulid.ts';
import { JsonReader } from './json-reader.ts';
import type { BlockMeta } from './meta.ts';

/** One matcher as plain data. */
export interface MatcherText {
  readonly name: string;
  readonly type: MatchType;
  readonly value: string;
}

/**
 * A tenant's wish that samples be gone: of series that all matchers of any set select, in mint … maxt (ms, inclusive), as
 * far as they were stored by `timeMs`. Plain data: it goes to other threads.
 */
export interface DeletionRequest {
  readonly id: string;
  /** ms. What was cut into blocks later is not meant: heads had left it out by then. */
  readonly timeMs: number;
  readonly mint: number;
  readonly maxt: number;
  readonly matcherSets: readonly (readonly MatcherText[])[];
}

export const DELETIONS_FOLDER = 'deletions';
export const DELETION_SIZE_BYTES_MAX = 1024 * 1024;
const FINISHED_SUFFIX = '.finished';
const MATCHER_SETS_MAX = 100;
const MATCH_TYPES: readonly string[] = ['=', '!=', '=~', '!~'];

/** Key of a request: `<tenant>/deletions/<id>.json`. */
export function deletionKey(tenant: string, id: string): string {
  return `${tenant}/${DELETIONS_FOLDER}/${id}.json`;
}

/** The request that a file in `deletions/` holds. */
export function deletionId(file: string): string | undefined {
  const id = file.slice(0, 26);
  return isUlid(id) && file.slice(26) === '.json' ? id : undefined;
}

/** Key of the mark that every block was rewritten for a request: it holds on for blocks that come later. */
export function finishedKey(tenant: string, id: string): string {
  return `${tenant}/${DELETIONS_FOLDER}/${id}${FINISHED_SUFFIX}`;
}

/** The request that a file in `deletions/` says is worked off. */
export function finishedId(file: string): string | undefined {
  const id = file.slice(0, 26);
  return isUlid(id) && file.slice(26) === FINISHED_SUFFIX ? id : undefined;
}

/** Reads a request (`docs/format/bucket.md`). Throws `corrupt`. */
export function parseDeletionRequest(data: Uint8Array, where: string, id: string): DeletionRequest {
  const reader = new JsonReader(where);
  const root = reader.document(data);
  if (reader.text(root.id, 'id') !== id) reader.fail(`id is not ${id}`);
  const mint = reader.integer(root.min_time, 'min_time');
  const maxt = reader.integer(root.max_time, 'max_time');
  const matcherSets = reader
    .list(root.matcher_sets, 'matcher_sets')
    .map((set) => reader.list(set, 'matcher set').map((matcher) => parseMatcher(reader, matcher)));
  if (matcherSets.some((set) => set.length === 0)) reader.fail('a matcher set is empty');
  return { id, timeMs: reader.integer(root.time, 'time'), mint, maxt, matcherSets };
}

/** The inverse of `parseDeletionRequest`. Throws `too_large` for one that would not be read back. */
export function encodeDeletionRequest({ id, timeMs, mint, maxt, matcherSets }: DeletionRequest): Uint8Array {
  const fields = { id, version: 1, time: timeMs, min_time: mint, max_time: maxt, matcher_sets: matcherSets };
  const data = new TextEncoder().encode(JSON.stringify(fields));
  if (data.length > DELETION_SIZE_BYTES_MAX || matcherSets.length > MATCHER_SETS_MAX)
    throw new VeronaError(
      'too_large',
      `delete series: at most ${MATCHER_SETS_MAX} selectors and ${DELETION_SIZE_BYTES_MAX} bytes of them`,
    );
  return data;
}

/** Throws `bad_data` for a selector that every series would match: whoever sends one has lost the rest of it. */
export function checkSelective(matcherSets: readonly (readonly Matcher[])[]): void {
  if (matcherSets.some((set) => set.every((matcher) => matcher.matchesEmpty)))
    throw new VeronaError(
      'bad_data',
      'delete series: a selector must contain at least one matcher that does not match the empty text',
    );
}

/** The sets of a request as matchers, ready to be asked. */
export function compileMatchers({ matcherSets }: DeletionRequest): readonly (readonly Matcher[])[] {
  return matcherSets.map((set) => set.map(({ type, name, value }) => new Matcher(type, name, value)));
}

/**
 * Whether a block may hold samples that a request wants gone. Not so when they lie outside its time, when the block says
 * that it was applied to it (`thanos.rewrites`), or when all of its data was cut out of heads after the request.
 */
export function needsDeletion(
  meta: Pick<BlockMeta, 'ulid' | 'mint' | 'maxt' | 'sources' | 'appliedDeletions'>,
  { id, timeMs, mint, maxt }: DeletionRequest,
): boolean {
  if (meta.mint > maxt || meta.maxt <= mint || meta.appliedDeletions.includes(id)) return false;
  const made = meta.sources.length > 0 ? meta.sources : [meta.ulid];
  return made.some((ulid) => ulidTime(ulid) <= timeMs);
}

function parseMatcher(reader: JsonReader, value: unknown): MatcherText {
  const matcher = reader.object(value, 'matcher');
  const type = reader.text(matcher.type, 'matcher type');
  if (!MATCH_TYPES.includes(type)) reader.fail(`matcher type ${JSON.stringify(type.slice(0, 20))}`);
  const parsed = {
    name: reader.text(matcher.name, 'matcher name'),
    type: type as MatchType,
    value: reader.text(matcher.value, 'matcher value'),
  };
  try {
    new Matcher(parsed.type, parsed.name, parsed.value);
  } catch (error) {
    reader.fail((error as Error).message);
  }
  return parsed;
}
