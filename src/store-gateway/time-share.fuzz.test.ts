import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shardOf } from '../blocks/shard-label.ts';
import { agreedBlocks } from './agreed-blocks.ts';
import {
  type DatedBlock,
  History,
  HOUR,
  hasSeries,
  histories,
  MINUTE,
  type Operation,
  runStep,
  SERIES,
  WISHES,
} from './block-history.fuzz.ts';
import { chooseBlocks, type ResolutionWish } from './choose-blocks.ts';
import { TimeShare } from './time-share.ts';

/** How many uploads a gateway's list may be behind. */
const LAG_MAX = 6;
const UNKNOWN_MS = (LAG_MAX + 1) * 4 * MINUTE;

/** What each of several gateways has listed, each at another time of a history; deletions are known to all for long. */
interface Views {
  readonly history: History;
  readonly lists: readonly (readonly DatedBlock[])[];
  /** What the one that is furthest behind knows. */
  readonly oldest: readonly DatedBlock[];
}

function viewsOf(steps: readonly Operation[], lags: readonly number[]): Views {
  const history = new History();
  const snapshots: (readonly DatedBlock[])[] = [];
  for (const [i, step] of steps.entries()) {
    if (step.kind === 'remove' && i >= steps.length - 4 * LAG_MAX) continue;
    runStep(history, step);
    snapshots.push([...history.blocks]);
  }
  const at = (lag: number) => snapshots[Math.max(0, snapshots.length - 1 - lag)] ?? [];
  return { history, lists: lags.map(at), oldest: at(Math.max(...lags)) };
}

/**
 * What several gateways together say of each sample: in which ways. Raw samples are the same wherever they come from, and so
 * are windows of one resolution that were made of the same sources; whatever else comes with them counts twice, or takes the
 * place of more.
 */
function saidBy(
  { history, lists }: Views,
  replicationFactor: number,
  spanHours: number,
  wish: ResolutionWish,
): Map<string, Set<string>> {
  const said = new Map<string, Set<string>>();
  for (const [instance, list] of lists.entries()) {
    const place = { instance, instances: lists.length, replicationFactor };
    const share = new TimeShare({ ...place, tenant: 'a', spanMs: spanHours * HOUR, unknownMs: UNKNOWN_MS });
    const blocks = replicationFactor === 1 ? list : agreedBlocks(list, history.nowMs - UNKNOWN_MS);
    for (const { block, mint, maxt } of share.partsOf(chooseBlocks(blocks, 0, 1e9, new Set(), wish))) {
      const { sources, resolutionMs, labels } = block.meta;
      const has = (hour: number, source: string) => {
        const { from, to } = history.sources.get(source) as { from: number; to: number };
        return hour >= from && hour < to;
      };
      for (let hour = Math.ceil(mint / HOUR); hour * HOUR <= maxt; hour++) {
        const present = sources.filter((source) => has(hour, source));
        const way = resolutionMs === 0 ? 'raw' : `${resolutionMs} of ${present.sort().join()}`;
        for (let series = 0; series < SERIES; series++)
          if (hasSeries(shardOf(labels), series))
            for (const source of present) {
              const sample = `${source} ${hour} ${series}`;
              said.set(sample, (said.get(sample) ?? new Set()).add(way));
            }
      }
    }
  }
  return said;
}

const lags = fc.array(fc.nat(LAG_MAX), { minLength: 2, maxLength: 4 });
const spans = fc.constantFrom(1, 2, 4, 12);

function check(steps: readonly Operation[], lagsOf: readonly number[], factor: number, span: number): void {
  const views = viewsOf(steps, lagsOf);
  for (const wish of WISHES) {
    const said = saidBy(views, factor, span, wish);
    for (const [sample, ways] of said) expect([sample, ...ways]).toHaveLength(2);
    if (views.history.isRawGone) continue;
    const known = new Set(views.oldest.flatMap(({ meta }) => meta.sources));
    for (const [source, { from, to }] of views.history.sources)
      if (known.has(source))
        expect([...said.keys()].filter((sample) => sample.startsWith(`${source} `))).toHaveLength(
          (to - from) * SERIES,
        );
  }
}

test('gateways whose lists are of different age answer together for every sample once, whatever is compacted meanwhile', () => {
  fc.assert(
    fc.property(histories, lags, spans, (steps, lagsOf, span) => check(steps, lagsOf, 1, span)),
    { numRuns: 300 },
  );
});

test('so do replicas that let new results wait until all know them', () => {
  fc.assert(
    fc.property(histories, lags, spans, (steps, lagsOf, span) => check(steps, lagsOf, 2, span)),
    { numRuns: 300 },
  );
});
