import { expect, test } from 'vitest';
import { BatchDecoder } from '../chunkenc/batch-decoder.ts';
import { decodeLabels } from '../encoding/label-bytes.ts';
import { QueryKernel } from '../kernel/query-kernel.ts';
import type { AnyHistogram } from '../model/histogram.ts';
import { compareLabels, Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import type { Querier, Queryable, ReadContext, SelectRequest } from './querier.ts';

/** What a source under test is filled with. */
export interface AcceptanceData {
  readonly floats: readonly { readonly labels: Labels; readonly t: number; readonly v: number }[];
  readonly histograms: readonly {
    readonly labels: Labels;
    readonly t: number;
    readonly histogram: AnyHistogram;
  }[];
}

/** The samples of one series as text, by label set as text: easy to compare and to read in a failure. */
export type SelectedSamples = Record<string, readonly string[]>;

const ctx: ReadContext = { signal: new AbortController().signal };
const FIRST = 1_700_000_000_000;
const STEP = 15_000;
const SAMPLES = 300;

/**
 * What every source owes, whatever it is made of. `open` makes a source that holds exactly the data, given in order of
 * time per series; `withHistograms` false leaves histograms out.
 */
export function querierAcceptance(
  name: string,
  open: (data: AcceptanceData) => Promise<Queryable>,
  withHistograms = true,
): void {
  const data = acceptanceData(withHistograms);
  const last = FIRST + (SAMPLES - 1) * STEP;
  const withQuerier = async <T>(mint: number, maxt: number, use: (querier: Querier) => Promise<T>) => {
    const querier = await (await open(data)).querier(mint, maxt);
    try {
      return await use(querier);
    } finally {
      await querier.close();
    }
  };

  test(`${name}: gives back every sample`, async () => {
    const selected = await withQuerier(FIRST, last, (querier) =>
      selectSamples(querier, request([new Matcher('=~', '__name__', '.+')], FIRST, last)),
    );
    expect(selected).toEqual(expectedSamples(data, FIRST, last, () => true));
  });

  test.each([
    ['=', 'instance', 'a:1'],
    ['!=', 'instance', 'a:1'],
    ['=~', 'instance', 'a:.*|é.*'],
    ['!~', 'instance', 'a:.*'],
    ['=', 'zone', ''],
    ['!=', 'zone', ''],
    ['=~', 'zone', '.*'],
    ['=', 'instance', 'nowhere'],
  ] as const)(`${name}: selects by up and %s %s %j`, async (type, label, value) => {
    const matchers = [new Matcher('=', '__name__', 'up'), new Matcher(type, label, value)];
    const selected = await withQuerier(FIRST, last, (querier) =>
      selectSamples(querier, request(matchers, FIRST, last)),
    );
    const matches = (labels: Labels) =>
      matchers.every((matcher) => matcher.matches(labels.get(matcher.name)));
    expect(selected).toEqual(expectedSamples(data, FIRST, last, matches));
  });

  test(`${name}: gives the samples of a range that cuts through chunks`, async () => {
    const mint = FIRST + 37 * STEP;
    const maxt = FIRST + 161 * STEP + 1;
    const selected = await withQuerier(mint, maxt, (querier) =>
      selectSamples(querier, request([new Matcher('!=', '__name__', '')], mint, maxt)),
    );
    expect(selected).toEqual(expectedSamples(data, mint, maxt, () => true));
  });

  test(`${name}: sorts by labels over all batches, each series once`, async () => {
    await withQuerier(FIRST, last, async (querier) => {
      const seen: Labels[] = [];
      for await (const batch of querier.select(
        ctx,
        request([new Matcher('!=', '__name__', '')], FIRST, last),
      )) {
        expect(batch.seriesCount).toBeGreaterThan(0);
        for (let i = 0; i < batch.seriesCount; i++)
          seen.push(decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]));
      }
      for (let i = 1; i < seen.length; i++) expect(compareLabels(seen[i - 1], seen[i])).toBeLessThan(0);
    });
  });

  test(`${name}: lists label names and values, sorted, within a limit`, async () => {
    await withQuerier(FIRST, last, async (querier) => {
      const all = { matchers: [], mint: FIRST, maxt: last, limit: 0 };
      const metrics = withHistograms ? ['lonely', 'sizes', 'up'] : ['lonely', 'up'];
      expect(await querier.labelNames(ctx, all)).toEqual(['__name__', 'instance', 'zone']);
      expect(await querier.labelValues(ctx, '__name__', all)).toEqual(metrics);
      expect(await querier.labelValues(ctx, 'instance', all)).toEqual(['a:1', 'b:1', 'é:1', '😀']);
      expect(await querier.labelValues(ctx, 'instance', { ...all, limit: 2 })).toEqual(['a:1', 'b:1']);
      expect(await querier.labelValues(ctx, 'nothing', all)).toEqual([]);
      const lonely = { ...all, matchers: [new Matcher('=', '__name__', 'lonely')] };
      expect(await querier.labelNames(ctx, lonely)).toEqual(['__name__']);
      expect(querier.warnings).toEqual([]);
    });
  });

  test(`${name}: gives label sets alone when only they are wanted`, async () => {
    await withQuerier(FIRST, last, async (querier) => {
      const wanted = {
        ...request([new Matcher('=', '__name__', 'up')], FIRST, last),
        hints: { labelsOnly: true },
      };
      let series = 0;
      for await (const batch of querier.select(ctx, wanted)) series += batch.seriesCount;
      expect(series).toBe(4);
    });
  });
}

/** Reads a whole select. */
export async function selectSamples(querier: Querier, wanted: SelectRequest): Promise<SelectedSamples> {
  const decoder = new BatchDecoder(new QueryKernel());
  const selected: Record<string, string[]> = {};
  for await (const batch of querier.select(ctx, wanted)) {
    decoder.open(batch);
    for (let i = 0; i < batch.seriesCount; i++) {
      const labels = decodeLabels(
        batch.labelBytes,
        batch.labelOffsets[i],
        batch.labelOffsets[i + 1],
      ).toString();
      const floats = decoder.floats(i, wanted.mint, wanted.maxt, true);
      const texts = Array.from(floats.timestamps, (t, k) => sampleText(t, floats.values[k]));
      const histograms = decoder.histograms(i, wanted.mint, wanted.maxt);
      for (const [k, { count, sum }] of histograms.histograms.entries())
        texts.push(`${histograms.timestamps[k]} count ${count} sum ${sum}`);
      expect(selected[labels], `${labels} appears once`).toBeUndefined();
      if (texts.length > 0) selected[labels] = texts.sort();
    }
  }
  return selected;
}

function request(matchers: readonly Matcher[], mint: number, maxt: number): SelectRequest {
  return { matchers, mint, maxt, sorted: true };
}

function acceptanceData(withHistograms: boolean): AcceptanceData {
  const instances = ['a:1', 'b:1', 'é:1', '😀'];
  const floats: { labels: Labels; t: number; v: number }[] = [];
  const histograms: { labels: Labels; t: number; histogram: AnyHistogram }[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const t = FIRST + i * STEP;
    for (const [k, instance] of instances.entries()) {
      const labels = Labels.from({ __name__: 'up', instance, zone: k === 1 ? 'west' : '' });
      floats.push({ labels, t: t + k, v: i === 100 ? Number.NEGATIVE_INFINITY : Math.sqrt(i * (k + 1)) });
    }
    if (withHistograms)
      histograms.push({ labels: Labels.from({ __name__: 'sizes' }), t, histogram: histogramAt(i) });
  }
  floats.push({ labels: Labels.from({ __name__: 'lonely' }), t: FIRST, v: -0 });
  return { floats, histograms };
}

/** A counter that is reset now and then and sees new buckets. */
function histogramAt(i: number): AnyHistogram {
  const count = (i % 70) + 1;
  const width = 1 + (Math.floor(i / 9) % 3);
  return {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: count * width,
    sum: count / 2,
    positiveSpans: [{ offset: 1, length: width }],
    negativeSpans: [],
    positiveBuckets: [count, ...Array.from({ length: width - 1 }, () => 0)],
    negativeBuckets: [],
    customValues: [],
  };
}

function expectedSamples(
  data: AcceptanceData,
  mint: number,
  maxt: number,
  wanted: (labels: Labels) => boolean,
): SelectedSamples {
  const expected: Record<string, string[]> = {};
  const put = (labels: Labels, t: number, text: string) => {
    if (t < mint || t > maxt || !wanted(labels)) return;
    const key = labels.toString();
    expected[key] = [...(expected[key] ?? []), text];
  };
  for (const { labels, t, v } of data.floats) put(labels, t, sampleText(t, v));
  for (const { labels, t, histogram } of data.histograms)
    put(labels, t, `${t} count ${histogram.count} sum ${histogram.sum}`);
  for (const texts of Object.values(expected)) texts.sort();
  return expected;
}

function sampleText(t: number, v: number): string {
  return `${t} ${Object.is(v, -0) ? '-0' : v}`;
}
