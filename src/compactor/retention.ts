import type { BucketBlock } from '../blocks/block-catalog.ts';
import { FIVE_MINUTES_MS, ONE_HOUR_MS } from '../tsdb/downsample/window.ts';
import { type DownsamplingRules, willBeDownsampled } from './plan-downsampling.ts';
import { SourcesAt } from './sources-at.ts';

/** How long samples of one tenant are kept, ms; 0: for ever. */
export interface Retention {
  readonly rawMs: number;
  readonly fiveMinutesMs: number;
  readonly oneHourMs: number;
}

/** A block whose time is over; `held` when it stays all the same, until the coarser block that outlives it is made. */
export interface ExpiredBlock {
  readonly block: BucketBlock;
  readonly held: boolean;
}

/**
 * The blocks of a tenant that ended longer ago than their resolution is kept. With `downsampling`, one that is not there at the
 * next resolution yet is held as long as that resolution is kept longer, unless it is not to be downsampled.
 */
export function expiredBlocks(
  blocks: readonly BucketBlock[],
  retention: Retention,
  nowMs: number,
  downsampling: DownsamplingRules | undefined,
): ExpiredBlock[] {
  return blocks
    .filter(({ marks }) => !marks.deletion)
    .filter(({ meta }) => {
      const keptMs = keptFor(meta.resolutionMs, retention);
      return keptMs > 0 && nowMs - meta.maxt > keptMs;
    })
    .map((block) => ({
      block,
      held:
        downsampling !== undefined &&
        willBeDownsampled(block, downsampling) &&
        isHeld(block, blocks, retention),
    }));
}

function keptFor(resolutionMs: number, { rawMs, fiveMinutesMs, oneHourMs }: Retention): number {
  if (resolutionMs === 0) return rawMs;
  return resolutionMs < ONE_HOUR_MS ? fiveMinutesMs : oneHourMs;
}

function isHeld({ meta }: BucketBlock, blocks: readonly BucketBlock[], retention: Retention): boolean {
  const nextMs = meta.resolutionMs === 0 ? FIVE_MINUTES_MS : ONE_HOUR_MS;
  const [kept, next] = [keptFor(meta.resolutionMs, retention), keptFor(nextMs, retention)];
  if (next !== 0 && next <= kept) return false;
  return !new SourcesAt(blocks, nextMs).hold(meta);
}
