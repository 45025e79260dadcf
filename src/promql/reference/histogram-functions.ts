import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { infoText, warningText } from '../annotations.ts';
import { parseFloatText } from '../functions/parse-float.ts';
import type { Call, Span } from '../parser/ast.ts';
import { formatGeneral } from '../parser/go-text.ts';
import { type ClassicBucket, classicFraction, classicQuantile } from './classic-histograms.ts';
import { nativeFraction, nativeQuantile, nativeVariance } from './histogram-statistics.ts';
import { withoutMetadata } from './names.ts';
import type { PlainHistogram } from './plain-histogram.ts';
import type { RemarkList } from './remarks.ts';
import { type Element, isFloat, isHistogram } from './rows.ts';

/** Functions of one native histogram; floats are passed over. */
export const NATIVE_FUNCTIONS: Readonly<Record<string, (h: PlainHistogram) => number>> = {
  histogram_count: ({ count }) => count,
  histogram_sum: ({ sum }) => sum,
  histogram_avg: ({ count, sum }) => sum / count,
  histogram_stdvar: nativeVariance,
  histogram_stddev: (h) => Math.sqrt(nativeVariance(h)),
};

/** The step at which a function of classic and native histograms is evaluated. */
export interface HistogramStep {
  readonly call: Call;
  readonly elements: readonly Element[];
  readonly scalars: readonly number[];
  readonly t: number;
  readonly delayed: boolean;
  /** Classic buckets have been made monotonic before. */
  readonly isMended?: boolean;
  readonly remarks: RemarkList;
}

interface Gathered {
  readonly natives: readonly (Element & { readonly point: PlainHistogram })[];
  readonly classics: readonly { readonly labels: Labels; readonly buckets: readonly ClassicBucket[] }[];
}

export function histogramQuantile(step: HistogramStep): Element[] {
  const [q] = step.scalars;
  checkQuantile(q, step.call.args[0], step.remarks);
  return quantileOfAll(step, gather(step, step.call.args[1]), q, step.call.args[1], (labels) => labels);
}

/** `histogram_quantiles(v, label, q…)`. */
export function histogramQuantiles(step: HistogramStep, label: string): Element[] {
  for (const [i, q] of step.scalars.entries()) checkQuantile(q, step.call.args[i + 2], step.remarks);
  const gathered = gather(step, step.call.args[0]);
  // Buckets are mended for the first quantile that is one, and stay so.
  const first = step.scalars.findIndex((q) => q >= 0 && q <= 1);
  return step.scalars.flatMap((q, i) =>
    quantileOfAll(
      { ...step, isMended: i > first && first !== -1 },
      gathered,
      q,
      step.call.args[0],
      (labels) => labels.with({ [label]: quantileText(q) }),
    ),
  );
}

/** As OpenMetrics writes numbers: with a point or an exponent. */
function quantileText(q: number): string {
  if (q === 0) return '0.0';
  const text = formatGeneral(q);
  return /[.eIN]/.test(text) ? text : `${text}.0`;
}

function checkQuantile(q: number, span: Span, remarks: RemarkList): void {
  if (!(q >= 0 && q <= 1)) remarks.warn(warningText.invalidQuantile(q), span);
}

function quantileOfAll(
  step: HistogramStep,
  { natives, classics }: Gathered,
  q: number,
  span: Span,
  relabel: (labels: Labels) => Labels,
): Element[] {
  const results: Element[] = [];
  for (const { labels, point } of natives) {
    const { value, nan } = nativeQuantile(q, point);
    const metric = nameOf(labels, step);
    if (nan === 'is-result') step.remarks.info(infoText.quantileIsNaN(metric), span);
    if (nan === 'skews') step.remarks.info(infoText.quantileIsSkewed(metric), span);
    results.push(element(relabel(named(labels, step)), value));
  }
  for (const { labels, buckets } of classics) {
    const { value, raised } = classicQuantile(q, buckets);
    if (raised !== undefined && !step.isMended) {
      const when = { metric: nameOf(labels, step), mint: step.t, maxt: step.t, samples: 1 };
      step.remarks.forcedMonotonicity({ ...raised, ...when }, span);
    }
    results.push(element(relabel(named(labels, step)), value));
  }
  return results;
}

/** `histogram_fraction(lower, upper, v)`. */
export function histogramFraction(step: HistogramStep): Element[] {
  const [lower, upper] = step.scalars;
  const span = step.call.args[2];
  const { natives, classics } = gather(step, span);
  return [
    ...natives.map(({ labels, point }) => {
      const { value, nan } = nativeFraction(lower, upper, point);
      if (nan !== undefined) step.remarks.info(infoText.fractionWithoutNaN(nameOf(labels, step)), span);
      return element(named(labels, step), value);
    }),
    ...classics.map(({ labels, buckets }) =>
      element(named(labels, step), classicFraction(lower, upper, buckets)),
    ),
  ];
}

function element(labels: Labels, point: number): Element {
  return { labels, dropName: true, point };
}

function named(labels: Labels, { delayed }: HistogramStep): Labels {
  return delayed ? labels : withoutMetadata(labels);
}

/** Remarks name the metric only while it still has its name. */
function nameOf(labels: Labels, { delayed }: HistogramStep): string {
  return delayed ? labels.get(METRIC_NAME) : '';
}

/** The native histograms, and the classic ones gathered from their buckets; what is both at once is neither. */
function gather(step: HistogramStep, span: Span): Gathered {
  const { elements, remarks } = step;
  const classics = new Map<string, { labels: Labels; buckets: ClassicBucket[] }>();
  for (const { labels, point } of elements) {
    if (!isFloat(point)) continue;
    const bound = parseFloatText(labels.get('le'));
    if (bound === undefined) {
      remarks.warn(warningText.badBucketLabel(nameOf(labels, step), labels.get('le')), span);
      continue;
    }
    const rest = labels.drop(new Set(['le']));
    const known = classics.get(rest.key()) ?? { labels: rest, buckets: [] };
    classics.set(rest.key(), known);
    known.buckets.push({ bound, count: point });
  }
  const natives: (Element & { point: PlainHistogram })[] = [];
  const both = new Set<string>();
  for (const { labels, dropName, point } of elements) {
    if (!isHistogram(point)) continue;
    if (classics.has(labels.key())) {
      remarks.warn(warningText.mixedClassicNative(nameOf(labels, step)), span);
      both.add(labels.key());
    } else natives.push({ labels, dropName, point });
  }
  return { natives, classics: [...classics].filter(([key]) => !both.has(key)).map(([, classic]) => classic) };
}
