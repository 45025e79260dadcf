import { storedSampleCount } from '../../chunkenc/chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { KernelColumns } from '../../kernel/chunk-kernel.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { addWindows } from '../downsample/add-windows.ts';
import { addLate } from './add-late.ts';
import { FloatChunks, mergeKernel } from './float-chunks.ts';
import { followReplicas } from './follow-replicas.ts';
import type { ReplicaDedup } from './merge-blocks.ts';
import { LATE_REPLICA } from './merge-source.ts';
import { penaltyMerge } from './penalty.ts';
import { mergeRareReplicas } from './rare-lanes.ts';
import { decodeLane, type Lane } from './replica-lane.ts';

/** A chunk with the number of the replica it is from. */
export interface ReplicaChunk extends BlockChunk {
  readonly replica: number;
  /** As it is in its file, checksum and all, when it is whole: to be copied. */
  readonly entry?: Uint8Array;
  /** With `entry`. */
  readonly sampleCount?: number;
}

/** A chunk of the result: one of those that came, or a new one. */
export type MergedChunk = BlockChunk & Pick<ReplicaChunk, 'entry' | 'sampleCount'>;

/**
 * Chunks of one series that overlap, ordered by time, as chunks that do not. The same chunk twice is one; windows are added up. Throws
 * `corrupt` for a chunk that does not decode.
 */
export function mergeOverlaps(chunks: readonly ReplicaChunk[], dedup: ReplicaDedup): readonly MergedChunk[] {
  const distinct = withoutTwins(chunks);
  if (!overlap(distinct)) return distinct;
  if (distinct.every(({ encoding }) => encoding === ChunkEncoding.xor)) return mergeFloats(distinct, dedup);
  // Series that became one after they were downsampled.
  if (distinct.some(({ encoding }) => encoding === ChunkEncoding.aggregate)) return addWindows(distinct);
  // Some of histograms, or of floats with start timestamps.
  return mergeRareReplicas(dedup === 'penalty' ? replicasOf(distinct) : [[0, distinct]]);
}

function mergeFloats(chunks: readonly ReplicaChunk[], dedup: ReplicaDedup): readonly MergedChunk[] {
  const replicas = dedup === 'penalty' ? replicasOf(chunks) : [[0, chunks] as const];
  return followed(replicas) ?? mergeDecoded(replicas);
}

type Replicas = readonly (readonly [replica: number, chunks: readonly ReplicaChunk[]])[];

/** Two replicas, as it mostly is, without decoding all of them. */
function followed(replicas: Replicas): readonly MergedChunk[] | undefined {
  if (replicas.length !== 2) return undefined;
  const [[a, chunksA], [b, chunksB]] = replicas;
  if (a === LATE_REPLICA || b === LATE_REPLICA || overlap(chunksA) || overlap(chunksB)) return undefined;
  return followReplicas(chunksA, chunksB);
}

/**
 * Any number of replicas and late samples, all decoded: what `followReplicas` must not differ from. A chunk all of whose samples
 * stay, with none of another in between, stays as it is: where one replica is followed nothing is written anew.
 */
export function mergeDecoded(replicas: Replicas): readonly MergedChunk[] {
  const lanes: Lane[] = [];
  const late: Lane[] = [];
  const wholes = new Map<number, Whole>();
  let first = 0;
  for (const [replica, group] of replicas) {
    (replica === LATE_REPLICA ? late : lanes).push(decodeLane(group, first));
    for (const chunk of group) {
      const count = chunkSampleCount(chunk);
      if (count > 0) wholes.set(first, { chunk, count });
      first += count;
    }
  }
  const taken = lanes.length > 0 ? [lanes.reduce(penaltyMerge)] : [];
  return encodeLane([...taken, ...late].reduce(addLate), wholes);
}

/** Chunks by replica, each ordered by time. Those that never overlap follow each other as one: there is nothing to choose. */
function replicasOf(chunks: readonly ReplicaChunk[]): Replicas {
  const joined: [number, ReplicaChunk[]][] = [];
  for (const [replica, group] of [...Map.groupBy(chunks, (chunk) => chunk.replica)].sort(
    ([a], [b]) => a - b,
  )) {
    const isFree = replica === LATE_REPLICA;
    const fit = isFree
      ? undefined
      : joined.find(([other, all]) => other !== LATE_REPLICA && areApart(all, group));
    if (fit) fit[1] = [...fit[1], ...group].sort(byTime);
    else joined.push([replica, group]);
  }
  return joined;
}

function areApart(a: readonly ReplicaChunk[], b: readonly ReplicaChunk[]): boolean {
  let i = 0;
  let k = 0;
  while (i < a.length && k < b.length) {
    if (a[i].mint <= b[k].maxt && b[k].mint <= a[i].maxt) return false;
    if (a[i].maxt < b[k].mint) i++;
    else k++;
  }
  return true;
}

function byTime(a: BlockChunk, b: BlockChunk): number {
  return a.mint - b.mint || a.maxt - b.maxt;
}

/** A chunk and the number of its samples. */
interface Whole {
  readonly chunk: ReplicaChunk;
  readonly count: number;
}

function chunkSampleCount({ encoding, data }: BlockChunk): number {
  return storedSampleCount(encoding, data, 0);
}

/** `wholes`: chunks by the number of their first sample. */
function encodeLane(lane: Lane, wholes: ReadonlyMap<number, Whole>): readonly MergedChunk[] {
  const { origins } = lane;
  const kernel = mergeKernel();
  columns ??= kernel.columns();
  kernel.clear(columns);
  kernel.push(columns, lane.timestamps, lane.values);
  const out = new FloatChunks<ReplicaChunk>(kernel);
  let from = 0;
  for (let i = 0; i < origins.length; ) {
    const whole = wholes.get(origins[i]);
    const stays = whole && ascendByOne(origins, i, whole.count);
    if (!stays) {
      i++;
      continue;
    }
    out.addSamples(columns, from, i);
    out.add(whole.chunk);
    i += whole.count;
    from = i;
  }
  out.addSamples(columns, from, origins.length);
  return out.take();
}

/** The samples of a series in the kernel, one set per thread. */
let columns: KernelColumns | undefined;

/** Whether all samples of a chunk are there with none in between. Mostly the ends tell that they are not. */
function ascendByOne(origins: Int32Array, start: number, count: number): boolean {
  const first = origins[start];
  if (origins[start + count - 1] !== first + count - 1) return false;
  for (let i = 1; i < count; i++) if (origins[start + i] !== first + i) return false;
  return true;
}

function withoutTwins(chunks: readonly ReplicaChunk[]): ReplicaChunk[] {
  return chunks.filter((chunk, i) => {
    for (let k = i - 1; k >= 0 && chunks[k].mint === chunk.mint; k--)
      if (isTwin(chunks[k], chunk)) return false;
    return true;
  });
}

function isTwin(a: ReplicaChunk, b: ReplicaChunk): boolean {
  return a.maxt === b.maxt && a.encoding === b.encoding && Buffer.compare(a.data, b.data) === 0;
}

function overlap(chunks: readonly ReplicaChunk[]): boolean {
  return chunks.some((chunk, i) => i > 0 && chunk.mint <= chunks[i - 1].maxt);
}
