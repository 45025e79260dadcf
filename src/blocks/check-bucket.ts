import type { BucketBlock, TenantBlocks } from './block-catalog.ts';
import { type BlockRef, CHUNKS_FOLDER, INDEX_FILE, META_FILE } from './layout.ts';
import { markKindOf } from './marks.ts';

/** What is wrong with an object or a block, and whether data are in danger or only room is taken. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly where: string;
  readonly text: string;
}

/**
 * What a look at the listings tells about a tenant's blocks: files that are missing, of another size than `meta.json`
 * says or of no use to anybody, small files that do not decode (`broken`, by key), uploads and deletions that broke off (older than `partialDelayMs`), marks without blocks, blocks set aside, and
 * blocks of one level and one set of labels that overlap in time. Reads nothing.
 */
export function checkBlocks(
  { whole, unfinished, orphanMarks }: TenantBlocks,
  nowMs: number,
  partialDelayMs: number,
  broken: ReadonlyMap<string, string> = new Map(),
): Finding[] {
  return [
    ...whole.flatMap((block) => [...checkFiles(block), ...oddFiles(block), ...brokenMarks(block, broken)]),
    ...unfinished.flatMap(({ ref, kind, newestMs }): Finding[] => {
      if (kind === 'corrupted') return [error(ref.folder, undecoded(ref, broken))];
      const isOld = nowMs - newestMs >= partialDelayMs;
      return isOld
        ? [warning(ref.folder, 'left over from an upload or a deletion: there is no meta.json')]
        : [];
    }),
    ...orphanMarks.map(({ ref, kind }) => warning(ref.folder, `a ${kind} mark of a block that is gone`)),
    ...whole.flatMap(({ ref, marks }) =>
      marks.quarantine
        ? [warning(ref.folder, `set aside: ${marks.quarantine.reason} ${marks.quarantine.details}`.trim())]
        : [],
    ),
    ...overlaps(whole.filter(({ marks }) => !marks.deletion)),
  ];
}

/** Files of a block, and beside them what Cortex' compactor and its converter to Parquet put there. */
const PARTS = /^(meta\.json|index|tombstones|chunks\/\d{6}|[^/]*(-mark\.json|\.parquet|visit[^/]*))$/;

function checkFiles({ ref, meta, sizes }: BucketBlock): Finding[] {
  const findings: Finding[] = [];
  if (!sizes.has(INDEX_FILE)) findings.push(error(`${ref.folder}/${INDEX_FILE}`, 'missing'));
  const hasChunks = [...sizes.keys()].some((path) => path.startsWith(`${CHUNKS_FOLDER}/`));
  if (!hasChunks && meta.chunkCount > 0) findings.push(error(`${ref.folder}/${CHUNKS_FOLDER}`, 'missing'));
  for (const { relPath, sizeBytes } of meta.files) {
    const found = sizes.get(relPath);
    if (found === undefined && relPath !== INDEX_FILE)
      findings.push(error(`${ref.folder}/${relPath}`, 'missing'));
    else if (found !== undefined && sizeBytes > 0 && found !== sizeBytes)
      findings.push(error(`${ref.folder}/${relPath}`, `${found} bytes, meta.json says ${sizeBytes}`));
  }
  return findings;
}

/** Why nobody reads a block whose `meta.json` does not decode. */
function undecoded({ folder }: BlockRef, broken: ReadonlyMap<string, string>): string {
  const why = broken.get(`${folder}/${META_FILE}`)?.slice(folder.length + 1);
  return `${why ?? `${META_FILE} does not decode`}; nobody reads the block`;
}

/** What is neither a part of a block nor a mark. */
function oddFiles({ ref, sizes, meta }: BucketBlock): Finding[] {
  const listed = new Set(meta.files.map(({ relPath }) => relPath));
  return [...sizes.keys()]
    .filter((path) => !PARTS.test(path) && !listed.has(path) && markKindOf(path) === undefined)
    .map((path) => warning(`${ref.folder}/${path}`, 'no file of a block'));
}

function brokenMarks({ ref, sizes }: BucketBlock, broken: ReadonlyMap<string, string>): Finding[] {
  return [...sizes.keys()].flatMap((path) => {
    const why = markKindOf(path) && broken.get(`${ref.folder}/${path}`);
    if (why === undefined) return [];
    return [error(ref.folder, `${why.slice(ref.folder.length + 1)}; nobody heeds the mark`)];
  });
}

/** Neighbours in time of one group that overlap. Level 1 may: heads overlap until they are compacted. */
function overlaps(whole: readonly BucketBlock[]): Finding[] {
  const groups = Map.groupBy(
    whole.filter(({ meta }) => meta.level > 1),
    ({ meta }) => `${meta.resolutionMs} ${JSON.stringify(Object.entries(meta.labels).sort())}`,
  );
  const findings: Finding[] = [];
  for (const group of groups.values()) {
    let last: BucketBlock | undefined;
    for (const block of group) {
      if (last && block.meta.mint < last.meta.maxt)
        findings.push(warning(block.ref.folder, `overlaps ${last.ref.ulid} in time`));
      if (!last || block.meta.maxt > last.meta.maxt) last = block;
    }
  }
  return findings;
}

function error(where: string, text: string): Finding {
  return { severity: 'error', where, text };
}

function warning(where: string, text: string): Finding {
  return { severity: 'warning', where, text };
}
