// Chunks of one series ↔ columns, and what compaction, downsampling and deduplication do in between. Memory is laid out by chunk-kernel.ts.
export { decodeChunk, mergeRuns } from '../decode-xor';
export { encodeXor, xorSizeMax } from '../encode-xor';
export { aggregateFloats, aggregateMint, aggregateScratch, aggregateSizeMax } from '../aggregate-floats';
export { addAggregates, joinAggregates, joinedMaxt, joinedMint, joinScratch, joinSizeMax, openAggregates } from '../join-aggregates';
export { countStale, outOfReach } from '../reach';
export { follow, followedTo, otherFloor } from '../follow';

// The first byte that is free.
export function init(): u32 { return 1024; }

// Leaves out NaN of every kind; returns how many samples remain.
export function dropNaN(times: usize, values: usize, n: u32): u32 {
  let end = values + ((n as usize) << 3), t = times, v = values, tOut = times, vOut = values;
  for (; v < end; v += 8, t += 8) {
    let x = load<f64>(v);
    if (x != x) continue;
    if (v != vOut) {
      store<f64>(vOut, x);
      store<f64>(tOut, load<f64>(t));
    }
    vOut += 8;
    tOut += 8;
  }
  return ((vOut - values) >> 3) as u32;
}
