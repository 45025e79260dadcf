import type { PrometheusConfig } from './prometheus-client.ts';

const MIN_FLAG = 'storage.tsdb.min-block-duration';
const MAX_FLAG = 'storage.tsdb.max-block-duration';

export interface UploadRules {
  /** Blocks that Prometheus compacted are shipped too, so local compaction does no harm. */
  readonly uploadCompacted: boolean;
  readonly ignoreUnequalBlockSize: boolean;
}

/**
 * Why the blocks of this Prometheus must not be uploaded, in sentences for its operator; undefined when they may be.
 * Without labels nobody could tell whose a block is, and blocks of two servers would be merged; where Prometheus compacts
 * locally, the blocks that a bucket expects vanish before they are shipped.
 */
export function uploadObstacle(
  { externalLabels, flags }: PrometheusConfig,
  rules: UploadRules,
): string | undefined {
  if (externalLabels.size === 0)
    return (
      'Prometheus has no external labels, so nobody could tell whose its blocks are; ' +
      'set global.external_labels in its configuration, different for each server'
    );
  const [min, max] = [flags[MIN_FLAG], flags[MAX_FLAG]];
  if (
    rules.uploadCompacted ||
    rules.ignoreUnequalBlockSize ||
    min === undefined ||
    max === undefined ||
    min === max
  )
    return undefined;
  if (flags['storage.tsdb.delay-compact-file.path']) return undefined;
  return (
    `Prometheus compacts its blocks itself (--${MIN_FLAG} is ${min}, --${MAX_FLAG} is ${max}); ` +
    'set both to 2h, or start the sidecar with --sidecar.upload-compacted or --sidecar.ignore-unequal-block-size'
  );
}
