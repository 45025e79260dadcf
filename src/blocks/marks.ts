import { JsonReader } from './json-reader.ts';

/**
 * Small files beside a block that say what may still be done with it. The first three are Thanos' and Cortex'; a
 * quarantined block is one of ours that could not be compacted and waits for a person.
 */
export const MARK_FILES = {
  deletion: 'deletion-mark.json',
  'no-compact': 'no-compact-mark.json',
  'no-downsample': 'no-downsample-mark.json',
  quarantine: 'quarantine-mark.json',
} as const;

export type MarkKind = keyof typeof MARK_FILES;
export const MARK_KINDS = Object.keys(MARK_FILES) as readonly MarkKind[];

export interface BlockMark {
  /** When it was set, ms, whole seconds. */
  readonly timeMs: number;
  /** Why, in a word or a few: `manual`, `index-size-exceeding`, …; empty for deletions. */
  readonly reason: string;
  /** Why, in a sentence; may be empty. */
  readonly details: string;
  /** Of a quarantined block: it cannot be read, so queries leave it out and say so. */
  readonly hidden: boolean;
}

export type BlockMarks = { readonly [K in MarkKind]?: BlockMark };

export const MARK_SIZE_BYTES_MAX = 1024 * 1024;

const TIME_FIELDS: Readonly<Record<MarkKind, string>> = {
  deletion: 'deletion_time',
  'no-compact': 'no_compact_time',
  'no-downsample': 'no_downsample_time',
  quarantine: 'quarantine_time',
};

/** The mark whose file has this name. */
export function markKindOf(file: string): MarkKind | undefined {
  return MARK_KINDS.find((kind) => MARK_FILES[kind] === file);
}

/** Reads a mark of block `ulid` (`docs/format/bucket.md`). Throws `corrupt`. */
export function parseMark(data: Uint8Array, where: string, kind: MarkKind, ulid: string): BlockMark {
  const reader = new JsonReader(where);
  const root = reader.document(data);
  const id = reader.text(root.id, 'id');
  if (id !== ulid) reader.fail(`id is ${JSON.stringify(id.slice(0, 60))}, the block is ${ulid}`);
  return {
    timeMs: reader.integer(root[TIME_FIELDS[kind]], TIME_FIELDS[kind]) * 1000,
    reason: reader.optionalText(root.reason, 'reason'),
    details: reader.optionalText(root.details, 'details'),
    hidden: root.hidden === true,
  };
}

/** A mark as its file; the inverse of `parseMark`. */
export function encodeMark(kind: MarkKind, ulid: string, mark: BlockMark): Uint8Array {
  const fields = {
    id: ulid,
    version: 1,
    ...(mark.details === '' ? {} : { details: mark.details }),
    [TIME_FIELDS[kind]]: Math.floor(mark.timeMs / 1000),
    ...(kind === 'deletion' ? {} : { reason: mark.reason }),
    ...(mark.hidden ? { hidden: true } : {}),
  };
  return new TextEncoder().encode(JSON.stringify(fields));
}
