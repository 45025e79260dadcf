import { assert } from '../platform/assert.ts';
import { type Assignment, ownsEverything } from './assignment.ts';

/** One of a fixed number of instances. Plain data. */
export interface InstancePlace {
  /** Its number, from 0. */
  readonly instance: number;
  readonly instances: number;
  /** Owners of each key; all instances when there are fewer. */
  readonly replicationFactor: number;
}

/**
 * Divides keys among a fixed number of instances by rendezvous hashing (Thaler and Ravishankar 1996): each instance has a
 * weight for a key, and the heaviest ones own it. Every instance comes to the same answer; one more of them takes its share evenly of
 * all others, and nothing else moves.
 */
export function staticAssignment({ instance, instances, replicationFactor }: InstancePlace): Assignment {
  assert(instance >= 0 && instance < instances, 'an instance is one of those that there are');
  assert(replicationFactor >= 1, 'somebody owns each key');
  if (replicationFactor >= instances) return ownsEverything;
  return {
    owns: (key) => {
      const hash = hashOf(key);
      const own = weight(hash, instance);
      let heavier = 0;
      for (let other = 0; other < instances && heavier < replicationFactor; other++) {
        const weightOfOther = weight(hash, other);
        if (weightOfOther > own || (weightOfOther === own && other < instance)) heavier++;
      }
      return heavier < replicationFactor;
    },
  };
}

const encoder = new TextEncoder();

/** FNV-1a. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/** The final mix of MurmurHash3: every bit of the hash and of the number turns about half of the bits. */
function weight(hash: number, instance: number): number {
  let h = hash ^ Math.imul(instance + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
