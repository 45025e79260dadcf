import { xxhash64 } from '../../encoding/xxhash64.ts';
import { VeronaError } from '../../model/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { infoText, warningText } from '../annotations.ts';
import type { Aggregate } from '../parser/ast.ts';
import { formatGeneral } from '../parser/go-text.ts';
import { best, type FloatElement } from './best-elements.ts';
import { meanOfHistograms, sumOfHistograms } from './histogram-total.ts';
import { meanOf, plus } from './kahan.ts';
import { quantileOf } from './over-time.ts';
import { compact } from './plain-histogram.ts';
import type { RemarkList } from './remarks.ts';
import { type Element, isFloat, isHistogram, type Point } from './rows.ts';
import { unwrapped } from './step-invariance.ts';

/** What an aggregation makes of the elements of one group at one step; undefined: nothing. */
export function aggregate(
  expr: Aggregate,
  elements: readonly Element[],
  param: number,
  remarks: RemarkList,
): Point | undefined {
  const floats = elements.map(({ point }) => point).filter(isFloat);
  switch (expr.op) {
    case 'sum':
    case 'avg':
      return total(expr, elements, remarks);
    case 'count':
      return elements.length;
    case 'group':
      return 1;
    case 'min':
    case 'max':
      ignoreHistograms(expr, elements, remarks);
      return floats.length === 0 ? undefined : extreme(floats, expr.op === 'max');
    case 'stddev':
    case 'stdvar': {
      ignoreHistograms(expr, elements, remarks);
      if (floats.length === 0) return undefined;
      return expr.op === 'stdvar' ? variance(floats) : Math.sqrt(variance(floats));
    }
    case 'quantile':
      ignoreHistograms(expr, elements, remarks);
      return floats.length === 0 ? undefined : quantileOf(param, floats);
    default:
      throw new VeronaError('internal', `${expr.op} does not give one value`);
  }
}

function ignoreHistograms({ op, expr }: Aggregate, elements: readonly Element[], remarks: RemarkList): void {
  const span = unwrapped(expr);
  if (elements.some(({ point }) => isHistogram(point)))
    remarks.info(infoText.histogramIgnoredInAggregation(op), span);
}

function extreme(floats: readonly number[], largest: boolean): number {
  return floats.reduce((best, v) => ((largest ? best < v : best > v) || Number.isNaN(best) ? v : best));
}

function variance(floats: readonly number[]): number {
  let mean = floats[0];
  let squares = Number.isFinite(mean) ? 0 : Number.NaN;
  for (const [i, v] of floats.entries()) {
    if (i === 0) continue;
    const difference = v - mean;
    mean += difference / (i + 1);
    squares += difference * (v - mean);
  }
  return squares / floats.length;
}

/**
 * What is of another kind than the first, or does not fit the histograms before it, spoils the total. After a histogram that
 * does not fit the rest is not looked at.
 */
function total(
  { op, expr }: Aggregate,
  elements: readonly Element[],
  remarks: RemarkList,
): Point | undefined {
  const span = unwrapped(expr);
  const points = elements.map(({ point }) => point);
  const histograms = points.filter(isHistogram);
  const add = op === 'sum' ? sumOfHistograms : meanOfHistograms;
  const added = isHistogram(points[0]) ? add(histograms) : undefined;
  const misfit = added?.misfit === undefined ? elements.length : points.indexOf(histograms[added.misfit]);
  if (added?.boundsReconciled) remarks.info(infoText.mismatchedCustomBuckets('aggregation'), span);
  if (misfit < elements.length)
    remarks.warn(warningText.mixedSchemas(elements[misfit].labels.get(METRIC_NAME)), span);
  const floats = points.slice(0, misfit).filter(isFloat);
  if (floats.length > 0 && histograms.length > 0) {
    remarks.warn(warningText.mixedFloatsHistogramsInAggregation(), span);
    return undefined;
  }
  if (floats.length > 0) return op === 'sum' ? sumOf(floats) : meanOf(floats);
  if (added?.histogram === undefined) return undefined;
  const hints = new Set(histograms.map(({ hint }) => hint));
  if (hints.has('reset') && hints.has('not_reset'))
    remarks.warn(warningText.counterResetCollision('aggregation'), span);
  return compact(added.histogram);
}

function sumOf(floats: readonly number[]): number {
  const { sum, lost } = floats.slice(1).reduce(plus, { sum: floats[0], lost: 0 });
  return sum + lost;
}

/** The labels that the elements of a group have in common. */
export function groupLabels(labels: Labels, grouping: readonly string[], without: boolean): Labels {
  if (without) return labels.drop(new Set([...grouping, METRIC_NAME]));
  return labels.keep(new Set(grouping));
}

/** What tells groups apart: the name never does for `without`. */
export function groupKey(labels: Labels, grouping: readonly string[], without: boolean): string {
  return groupLabels(labels, grouping, without).key();
}

/** `topk`, `bottomk`, `limitk`, `limit_ratio`: some elements of one group, in the order of an instant query's answer. */
export function choose(
  expr: Aggregate,
  elements: readonly Element[],
  param: number,
  remarks: RemarkList,
): readonly Element[] {
  if (expr.op === 'limit_ratio') return elements.filter(({ labels }) => isSampled(labels, param));
  const k = Math.trunc(param);
  if (k < 1) return [];
  if (expr.op === 'limitk') return elements.slice(0, k);
  if (elements.some(({ point }) => isHistogram(point)))
    remarks.info(infoText.histogramIgnoredInAggregation(expr.op), expr);
  const floats = elements.filter((element): element is FloatElement => isFloat(element.point));
  return best(floats, k, expr.op === 'topk' ? (a, b) => a < b : (a, b) => a > b);
}

const encoder = new TextEncoder();

/** Whether the hash of the labels, as a share of all hashes, is below the ratio, or in what a negative ratio leaves over. */
function isSampled(labels: Labels, ratio: number): boolean {
  const r = Math.max(-1, Math.min(1, ratio));
  const parts = labels.flat.map((text) => encoder.encode(text));
  const bytes = parts.flatMap((part) => [...lengthBytes(part.length), ...part]);
  const share = Number(xxhash64(Uint8Array.from(bytes))) / 2 ** 64;
  return r >= 0 ? share < r : share >= 1 + r;
}

function lengthBytes(length: number): number[] {
  return length < 255 ? [length] : [255, length & 255, (length >> 8) & 255, (length >> 16) & 255];
}

/** What is wrong or to be said about the parameters of all steps together; false: there is no answer. */
export function checkParameters(expr: Aggregate, params: readonly number[], remarks: RemarkList): boolean {
  const [min, max] = [lowest(params), highest(params)];
  const span = unwrapped(expr.param ?? expr);
  switch (expr.op) {
    case 'topk':
    case 'bottomk':
    case 'limitk':
      if (max < 1) return false;
      if (params.some(Number.isNaN)) throw bad('Parameter value is NaN');
      if (min <= -(2 ** 63)) throw bad(`Scalar value ${formatGeneral(min)} underflows int64`);
      if (max >= 2 ** 63) throw bad(`Scalar value ${formatGeneral(max)} overflows int64`);
      return true;
    case 'limit_ratio':
      if (max === 0 && min === 0) return false;
      if (params.some(Number.isNaN)) throw bad('Ratio value is NaN');
      if (max > 1) remarks.warn(warningText.invalidRatio(max, 1), span);
      if (min < -1) remarks.warn(warningText.invalidRatio(min, -1), span);
      return true;
    case 'quantile':
      if (params.some(Number.isNaN)) remarks.warn(warningText.invalidQuantile(Number.NaN), span);
      if (max > 1) remarks.warn(warningText.invalidQuantile(max), span);
      if (min < 0) remarks.warn(warningText.invalidQuantile(min), span);
      return true;
    default:
      return true;
  }
}

/** NaN wins, but not over the infinity that is looked for. */
function highest(params: readonly number[]): number {
  return params.includes(Infinity) ? Infinity : Math.max(...params);
}

function lowest(params: readonly number[]): number {
  return params.includes(-Infinity) ? -Infinity : Math.min(...params);
}

function bad(message: string): VeronaError {
  return new VeronaError('execution', message);
}
