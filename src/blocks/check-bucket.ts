import type { BucketBlock, TenantBlocks } from './block-catalog.ts';
import { CHUNKS_FOLDER, INDEX_FILE } from './layout.ts';

/** What is wrong with an object or a block, and whether data are in danger or only room is taken. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly where: string;
  readonly text: string;
}

/**
 * What a look at the listings tells about a tenant's blocks: files that are missing or of another size than `meta.json`
 * says, uploads and deletions that broke off (older than `partialDelayMs`), marks without blocks, blocks set aside, and
 * blocks of one level and one set of labels that overlap in time. Reads nothing.
 */
export function checkBlocks(
  { whole, unfinished, orphanMarks }: TenantBlocks,
  nowMs: number,
  partialDelayMs: number,
): Finding[] {
  return [
    ...whole.flatMap(checkFiles),
    ...unfinished.flatMap(({ ref, kind, newestMs }): Finding[] => {
      if (kind === 'corrupted')
        return [error(ref.folder, 'meta.json does not decode; nobody reads the block')];
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
