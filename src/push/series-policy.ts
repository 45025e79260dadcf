import { visitLabels } from '../encoding/label-bytes.ts';
import { type Labels, METRIC_NAME } from '../model/labels.ts';
import type { Limits } from '../tenancy/limits.ts';
import type { SeriesPolicy, SeriesRefusal } from './tenant-db.ts';

/** Cortex' names of why samples are discarded, as `reason` of `verona_discarded_samples_total`. */
export type LabelDiscardReason =
  | 'missing_metric_name'
  | 'label_invalid'
  | 'label_name_too_long'
  | 'label_value_too_long'
  | 'max_label_names_per_series';

/** Client text in messages is cut to this many characters. */
const QUOTED_LENGTH_MAX = 200;

/** A tenant's limits on series, asked about each new one. Lives for one request; keeps count of what it refused for labels. */
export class LimitPolicy implements SeriesPolicy {
  readonly #limits: Limits;
  /** Series refused for their labels, by reason. */
  readonly refusedSeries = new Map<LabelDiscardReason, number>();
  /** The sentence of the latest refusal. */
  lastReason = '';

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  admit(labels: Labels, seriesCount: number): SeriesRefusal | undefined {
    const refusal = this.#judge(labels, seriesCount);
    if (refusal) this.lastReason = refusal.reason;
    return refusal;
  }

  admitsBytes(labelBytes: Uint8Array, seriesCount: number): boolean {
    const { maxSeries } = this.#limits;
    return (maxSeries === 0 || seriesCount < maxSeries) && haveNoProblem(labelBytes, this.#limits);
  }

  #judge(labels: Labels, seriesCount: number): SeriesRefusal | undefined {
    const problem = labelsProblem(labels, this.#limits);
    if (problem) {
      const [discard, reason] = problem;
      this.refusedSeries.set(discard, (this.refusedSeries.get(discard) ?? 0) + 1);
      return { outcome: 'invalid_labels', reason };
    }
    const { maxSeries } = this.#limits;
    if (maxSeries === 0 || seriesCount < maxSeries) return undefined;
    return { outcome: 'series_limit', reason: `per-tenant limit of ${maxSeries} series exceeded` };
  }
}

/** Labels are sorted, unique and without empty values by construction; the rest of Prometheus' and Cortex' rules is here. */
function labelsProblem(labels: Labels, limits: Limits): [LabelDiscardReason, string] | undefined {
  const { maxLabelNamesPerSeries, maxLabelNameLength, maxLabelValueLength } = limits;
  if (!labels.has(METRIC_NAME)) return ['missing_metric_name', 'missing metric name'];
  if (maxLabelNamesPerSeries > 0 && labels.size > maxLabelNamesPerSeries)
    return [
      'max_label_names_per_series',
      `series has too many labels (actual: ${labels.size}, limit: ${maxLabelNamesPerSeries})`,
    ];
  for (let i = 0; i < labels.flat.length; i += 2) {
    const name = labels.flat[i];
    const value = labels.flat[i + 1];
    if (name === '') return ['label_invalid', 'label name is empty'];
    if (isLonger(name, maxLabelNameLength))
      return [
        'label_name_too_long',
        `label name too long (limit: ${maxLabelNameLength} bytes): ${quoted(name)}`,
      ];
    if (isLonger(value, maxLabelValueLength))
      return [
        'label_value_too_long',
        `label value too long (limit: ${maxLabelValueLength} bytes) for label ${quoted(name)}: ${quoted(value)}`,
      ];
  }
  return undefined;
}

/** Whether `labelsProblem` finds none; for canonical label bytes, which have a limited length each. */
function haveNoProblem(labelBytes: Uint8Array, limits: Limits): boolean {
  const nameMax = limits.maxLabelNameLength || Number.POSITIVE_INFINITY;
  const valueMax = limits.maxLabelValueLength || Number.POSITIVE_INFINITY;
  let count = 0;
  let hasName = false;
  let areShort = true;
  visitLabels(labelBytes, 0, labelBytes.length, (nameStart, nameEnd, valueStart, valueEnd) => {
    count++;
    const length = nameEnd - nameStart;
    if (length === 0 || length > nameMax || valueEnd - valueStart > valueMax) areShort = false;
    else if (length === METRIC_NAME.length) hasName ||= isMetricName(labelBytes, nameStart);
  });
  const { maxLabelNamesPerSeries } = limits;
  return hasName && areShort && (maxLabelNamesPerSeries === 0 || count <= maxLabelNamesPerSeries);
}

function isMetricName(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < METRIC_NAME.length; i++)
    if (bytes[start + i] !== METRIC_NAME.charCodeAt(i)) return false;
  return true;
}

/** Whether a text has more bytes than `max`; 0 is no limit. A UTF-16 unit is 3 bytes at most, so short texts need no count. */
function isLonger(text: string, max: number): boolean {
  return max > 0 && text.length * 3 > max && Buffer.byteLength(text) > max;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, QUOTED_LENGTH_MAX));
}
