import type { BlockChunk } from '../block/block-writer.ts';
import { type AnySample, decodeSamples, encodeSamples } from '../head/clip-chunk.ts';
import { addLate } from './add-late.ts';
import { LATE_REPLICA } from './merge-source.ts';
import { penaltyMerge } from './penalty.ts';
import type { Lane } from './replica-lane.ts';

/**
 * Replicas of one series of any kind of samples as one, chosen by time as of floats: one replica is followed until it has a gap, and
 * late samples are added. Chunks of a replica are ordered by time; where they overlap the later one wins. Throws `corrupt`.
 */
export function mergeRareReplicas(
  replicas: readonly (readonly [replica: number, chunks: readonly BlockChunk[]])[],
): BlockChunk[] {
  const samples: AnySample[] = [];
  const lanes: Lane[] = [];
  const late: Lane[] = [];
  for (const [replica, chunks] of replicas)
    (replica === LATE_REPLICA ? late : lanes).push(laneOf(chunks, samples));
  const taken = lanes.length > 0 ? [lanes.reduce(penaltyMerge)] : [];
  const { values } = [...taken, ...late].reduce(addLate);
  return encodeSamples(Array.from(values, (i) => samples[i])).map(({ bytes, ...chunk }) => ({
    ...chunk,
    data: bytes,
  }));
}

/** Its values are the places in `samples` of those that it adds there. */
function laneOf(chunks: readonly BlockChunk[], samples: AnySample[]): Lane {
  const byTime = new Map<number, AnySample>();
  for (const { data, ...chunk } of chunks)
    for (const sample of decodeSamples({ ...chunk, bytes: data })) byTime.set(sample.t, sample);
  const own = [...byTime.values()].sort((a, b) => a.t - b.t);
  const first = samples.length;
  for (const sample of own) samples.push(sample);
  return {
    timestamps: Float64Array.from(own, ({ t }) => t),
    values: Float64Array.from(own, (_, i) => first + i),
    origins: new Int32Array(own.length).fill(-1),
  };
}
