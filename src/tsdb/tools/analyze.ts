import { formatDuration } from '../../model/duration.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type { Block } from '../block/block.ts';
import { SeriesEntry } from '../index/index-format.ts';

/** How many label pairs may be counted; a block with more names the limit instead of running out of memory. */
const PAIRS_MAX = 10_000_000;

/** What in a block is large: labels by values and series, and pairs by series; `most` lines of each. */
export async function analyzeBlock(block: Block, most = 20): Promise<string> {
  const { index, meta } = block;
  const lines = [
    `Block ID: ${meta.ulid}`,
    `Duration: ${formatDuration(meta.maxTime - meta.minTime)}`,
    `Total Series: ${meta.stats.numSeries}`,
    `Label names: ${index.labelNames().length}`,
  ];
  let pairs = 0;
  const series = new Map<string, number>();
  const bySeries: [string, number][] = [];
  const byMetric: [string, number][] = [];
  const byValues: [string, number][] = [];
  for (const name of index.labelNames()) {
    let values = 0;
    index.offsets.visitValues(name, '', (value, offset) => {
      const count = index.postingsAt(offset).length;
      values++;
      series.set(name, (series.get(name) ?? 0) + count);
      bySeries.push([`${name}=${value}`, count]);
      if (name === METRIC_NAME) byMetric.push([value, count]);
      return ++pairs < PAIRS_MAX;
    });
    byValues.push([name, values]);
  }
  const churn = await missingTime(block);
  lines.push(`Postings (unique label pairs): ${pairs}${pairs === PAIRS_MAX ? ' or more' : ''}`);
  lines.push(
    `Postings entries (total label pairs): ${[...series.values()].reduce((sum, count) => sum + count, 0)}`,
  );
  const sections: [string, [string, number][]][] = [
    ['Label pairs most involved in churning', churn.pairs],
    ['Label names most involved in churning', churn.names],
    ['Most common label pairs', bySeries],
    ['Highest cardinality labels', byValues],
    ['Highest cardinality metric names', byMetric],
  ];
  for (const [title, counts] of sections) {
    lines.push('', `${title}:`);
    counts.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
    for (const [text, count] of counts.slice(0, most)) lines.push(`${count} ${text}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Series that do not live as long as the block count for their labels, by the share of the block's time they miss. */
async function missingTime(block: Block): Promise<{ pairs: [string, number][]; names: [string, number][] }> {
  const { index, meta } = block;
  const span = Math.max(1, meta.maxTime - meta.minTime);
  const pairs = new Map<number, number>();
  const names = new Map<number, number>();
  const entry = new SeriesEntry();
  const refs = index.allPostings();
  for (let at = 0; at < refs.length; at += 4096) {
    const slice = refs.subarray(at, at + 4096);
    await index.prefetchSeries(slice);
    for (const ref of slice) {
      index.readSeries(ref, entry);
      if (entry.chunkCount === 0) continue;
      const missing = 1 - (entry.maxt[entry.chunkCount - 1] - entry.mint[0]) / span;
      for (let i = 0; i < 2 * entry.labelCount; i += 2) {
        const pair = entry.labels[i] * 2 ** 26 + entry.labels[i + 1];
        if (pairs.size < PAIRS_MAX) pairs.set(pair, (pairs.get(pair) ?? 0) + missing);
        names.set(entry.labels[i], (names.get(entry.labels[i]) ?? 0) + missing);
      }
    }
  }
  const text = (ref: number) => index.symbols.textOf(ref);
  const top = (counts: Map<number, number>) => [...counts].sort(([, x], [, y]) => y - x).slice(0, 1000);
  return {
    pairs: top(pairs).map(([pair, n]) => [
      `${text(Math.floor(pair / 2 ** 26))}=${text(pair % 2 ** 26)}`,
      Math.trunc(n),
    ]),
    names: top(names).map(([name, n]) => [text(name), Math.trunc(n)]),
  };
}
