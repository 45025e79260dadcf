import { compileMatchers, type DeletionRequest } from '../blocks/deletion-request.ts';
import type { Matcher } from '../model/matcher.ts';
import { addInterval, type Interval } from '../tsdb/block/tombstones.ts';
import type { SeriesDeletions } from '../tsdb/compact/merge-blocks.ts';
import { windowsOfDeleted } from '../tsdb/downsample/cut-aggregates.ts';
import type { CompactorJob } from './job.ts';

/** What the deletion requests of a job leave out of each of its blocks; undefined when it has none. */
export function seriesDeletions({
  blocks,
  deletions,
  resolutionMs,
}: CompactorJob): SeriesDeletions | undefined {
  if (deletions.length === 0) return undefined;
  const rules = deletions.map((request) => ({
    matcherSets: compileMatchers(request),
    interval: intervalOf(request, resolutionMs),
    applies: blocks.map((block) => block.deletions.includes(request.id)),
  }));
  return (labels) => {
    const hits = rules.filter(({ matcherSets }) => matcherSets.some((set) => matchAll(set, labels)));
    if (hits.length === 0) return undefined;
    return blocks.map((_, i) =>
      hits
        .filter(({ applies }) => applies[i])
        .reduce<readonly Interval[]>((gaps, { interval }) => addInterval(gaps, interval), []),
    );
  };
}

/** Downsampled, a window goes of which any part is deleted. */
function intervalOf({ mint, maxt }: DeletionRequest, resolutionMs: number): Interval {
  return resolutionMs === 0 ? { mint, maxt } : windowsOfDeleted([{ mint, maxt }], resolutionMs)[0];
}

function matchAll(set: readonly Matcher[], labels: readonly string[]): boolean {
  return set.every((matcher) => matcher.matches(labelValue(labels, matcher.name)));
}

/** Empty for an absent label. */
function labelValue(labels: readonly string[], name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1];
  return '';
}

/** Requests old enough that their blocks may be rewritten: every process has learnt of them, and none is changed again. */
export function dueDeletions(
  requests: readonly DeletionRequest[],
  nowMs: number,
  delayMs: number,
): readonly DeletionRequest[] {
  return requests.filter(({ timeMs }) => nowMs - timeMs >= delayMs);
}
