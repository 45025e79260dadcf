import { decodeLabels } from '../../encoding/label-bytes.ts';
import { snappyCompress } from '../../encoding/snappy.ts';
import { WasmHeadMemory } from '../../kernel/wasm-head-memory.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import { silentLogger } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { SeededRandom } from '../../platform/random.ts';
import { HandClock } from '../../platform/testdata/hand-clock.ts';
import { encodeWriteRequest } from '../../proto/remote-write.ts';
import type { TimeSeries } from '../../proto/time-series.ts';
import type { Querier, SelectHints } from '../../storage/querier.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { Db } from '../db.ts';
import type { DbOptions } from '../db-options.ts';
import { decodeSamples } from '../head/clip-chunk.ts';
import { chunksOf } from '../head/complete-slice.ts';
import type { RareValue } from '../head/rare-series.ts';

export const HOUR = 3_600_000;
/** A multiple of two hours. */
export const T0 = 1_699_992_000_000;

/** Timers fire only when the test moves it; stands at `T0` unless told otherwise. */
export class TestClock extends HandClock {
  constructor(time = T0) {
    super(time);
  }
}

let opened = 0;

export function openDb(disk: Disk, clock: Clock, more: Partial<DbOptions> = {}): Promise<Db> {
  return Db.open({
    disk,
    clock,
    random: new SeededRandom(++opened),
    log: silentLogger,
    metrics: new Metrics(),
    dir: 'data',
    newMemory: (options) => new WasmHeadMemory(options),
    pageCache: new PageCache(8 << 20),
    maintenanceIntervalMs: 0,
    ...more,
  });
}

export function floatSeries(labels: Readonly<Record<string, string>>, samples: readonly [number, number][]): TimeSeries {
  return {
    labels: Labels.from(labels).flat,
    samples: samples.map(([t, v]) => ({ t, v, startT: 0 })),
    histograms: [],
    exemplars: [],
  };
}

export function requestBody(timeSeries: readonly TimeSeries[]): Uint8Array {
  return snappyCompress(encodeWriteRequest({ timeSeries, metadata: [] })).slice();
}

export type Answer = Record<string, [number, RareValue][]>;

export const EVERYTHING = [new Matcher('=~', '__name__', '.+')];

/** Everything in mint … maxt, by the text of the label set, in order of time and each time once. */
export async function answer(
  from: { querier(mint: number, maxt: number): Promise<Querier> },
  mint: number,
  maxt: number,
  matchers: readonly Matcher[] = EVERYTHING,
  sorted = true,
  hints: SelectHints = {},
): Promise<Answer> {
  const querier = await from.querier(mint, maxt);
  const found: Answer = {};
  try {
    const { signal } = new AbortController();
    for await (const batch of querier.select({ signal }, { matchers, mint, maxt, sorted, hints }))
      for (let i = 0; i < batch.seriesCount; i++) {
        const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]).toString();
        if (found[labels] !== undefined) throw new Error(`${labels} appears twice`);
        const byTime = new Map<number, RareValue>();
        for (const chunk of chunksOf(batch, i))
          for (const { t, value } of decodeSamples(chunk)) if (t >= mint && t <= maxt) byTime.set(t, value);
        const samples = [...byTime].sort((a, b) => a[0] - b[0]);
        if (samples.length > 0) found[labels] = samples;
      }
  } finally {
    await querier.close();
  }
  return found;
}
