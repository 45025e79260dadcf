import { META_FILE } from '../blocks/layout.ts';
import { listBlockFiles } from '../blocks/local-blocks.ts';
import { type BlockFile, parseMeta } from '../blocks/meta.ts';
import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import { Block } from '../tsdb/block/block.ts';
import type { BlockStats } from '../tsdb/block/meta.ts';
import { type BlockVerdict, verifyBlock } from '../tsdb/block/verify-block.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';

/** What a whole look at a block told. */
export interface Diagnosis {
  /** What is wrong, in plain fragments, not all of them when they are many; empty for a good block. */
  readonly findings: readonly string[];
  readonly findingCount: number;
  /** What is not as it could be, though nobody is misled by it. */
  readonly notes: readonly string[];
  /** `meta`: what `meta.json` says is to be put right. `rewrite`: writing the block anew may help; what cannot be read stays lost. */
  readonly remedy: 'none' | 'meta' | 'rewrite';
  /** Counted; undefined when the block could not be read to its end. */
  readonly stats: BlockStats | undefined;
  /** Without `meta.json`. */
  readonly files: readonly BlockFile[];
}

const CACHE_BYTES = 64 * 1024 * 1024;

/** Reads the block in folder `dir` as a whole. Only a disk that fails or the signal makes it throw. */
export async function diagnoseBlock(disk: Disk, dir: string, signal: AbortSignal): Promise<Diagnosis> {
  try {
    const files = await listBlockFiles(disk, dir);
    const verdict = await verify(disk, dir, signal);
    const told = await compareFiles(disk, dir, files);
    const inside = verdict.findingCount - verdict.countFindings;
    const outside = verdict.countFindings + told.findings.length + told.notes.length;
    return {
      findings: [...verdict.findings, ...told.findings],
      findingCount: verdict.findingCount + told.findings.length,
      notes: told.notes,
      remedy: inside > 0 ? 'rewrite' : outside > 0 ? 'meta' : 'none',
      stats: statsOf(verdict),
      files,
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!isDamage(error)) throw error;
    const findings = [error.message];
    return { findings, findingCount: 1, notes: [], remedy: 'rewrite', stats: undefined, files: [] };
  }
}

async function verify(disk: Disk, dir: string, signal: AbortSignal): Promise<BlockVerdict> {
  const block = await Block.openToWalk(disk, dir, new PageCache(CACHE_BYTES));
  try {
    return await verifyBlock(block, signal);
  } finally {
    await block.close();
  }
}

/** What `thanos.files` says beside what is there. Uploaders of old did not write it. */
async function compareFiles(
  disk: Disk,
  dir: string,
  files: readonly BlockFile[],
): Promise<Pick<Diagnosis, 'findings' | 'notes'>> {
  const ulid = dir.slice(dir.lastIndexOf('/') + 1);
  const meta = parseMeta(await disk.readFile(`${dir}/${META_FILE}`), `${dir}/${META_FILE}`, ulid);
  if (meta.files.length === 0) return { findings: [], notes: ['meta.json lists no files'] };
  const told = new Map(meta.files.map(({ relPath, sizeBytes }) => [relPath, sizeBytes]));
  const findings = files
    .filter(({ relPath, sizeBytes }) => told.get(relPath) !== sizeBytes)
    .map(
      ({ relPath, sizeBytes }) =>
        `${relPath} has ${sizeBytes} bytes, meta.json says ${told.get(relPath) ?? 'nothing'}`,
    );
  return { findings, notes: [] };
}

function statsOf({ series, chunks, samples, histogramSamples }: BlockVerdict): BlockStats {
  return {
    numSamples: samples,
    numFloatSamples: samples - histogramSamples,
    ...(histogramSamples > 0 && { numHistogramSamples: histogramSamples }),
    numSeries: series,
    numChunks: chunks,
  };
}

/** A file that is not there is damage as well: the listing of the block named it, or its index does. */
function isDamage(error: unknown): error is VeronaError {
  return error instanceof VeronaError && (error.code === 'corrupt' || error.code === 'not_found');
}

/** Whether to hide a block with this fault: a bad chunk spoils queries that meet it; without index or chunk file every query of the block's time would fail. */
export function isUnreadable({ message }: Error): boolean {
  return /\/index: |\/chunks\/\d{6}: missing|\/meta\.json: /.test(message);
}
