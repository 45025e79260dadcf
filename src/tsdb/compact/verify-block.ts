import { chunkSampleCount } from '../../chunkenc/chunk.ts';
import { VeronaError } from '../../model/errors.ts';
import { Matcher } from '../../model/matcher.ts';
import type { Block } from '../block/block.ts';

const EVERYTHING = [new Matcher('=~', '__name__', '.*')];

/**
 * Reads a block from beginning to end: every checksum, the order of series, and that series, chunks and samples are as
 * many as its meta says. Throws `corrupt`.
 */
export async function verifyBlock(block: Block): Promise<void> {
  const { minTime, maxTime, stats } = block.meta;
  const querier = await block.querier(minTime, maxTime);
  const { signal } = new AbortController();
  const found = { numSeries: 0, numChunks: 0, numSamples: 0 };
  try {
    const request = { matchers: EVERYTHING, mint: minTime, maxt: maxTime - 1, sorted: true };
    for await (const batch of querier.select({ signal }, request)) {
      found.numSeries += batch.seriesCount;
      found.numChunks += batch.chunkDataLength.length;
      for (const offset of batch.chunkDataOffset)
        found.numSamples += chunkSampleCount(batch.chunkData, offset);
    }
  } finally {
    await querier.close();
  }
  for (const what of ['numSeries', 'numChunks', 'numSamples'] as const)
    if (found[what] !== stats[what])
      throw new VeronaError('corrupt', `${block.dir}: ${what} is ${stats[what]}, found ${found[what]}`);
}
