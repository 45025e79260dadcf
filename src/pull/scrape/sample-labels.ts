import { VeronaError } from '../../model/errors.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import type { Relabeler } from '../../model/relabel.ts';
import { isLabelName, type NameScheme } from '../../model/relabel-rule.ts';

const EXPORTED = 'exported_';
const LEGACY_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** 0: no limit. Lengths are bytes. */
export interface LabelLimits {
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
}

export interface SampleLabelOptions extends LabelLimits {
  /** Labels of the target do not replace those exposed. */
  readonly honorLabels: boolean;
  readonly metricRelabeler: Relabeler;
  readonly nameScheme: NameScheme;
  /** Added to series that lack them, as Prometheus adds them to what it sends elsewhere. */
  readonly externalLabels: Labels;
}

/** What becomes of the labels of the samples of one target. */
export class SampleLabels {
  readonly #target: Labels;
  readonly #options: SampleLabelOptions;

  /** `target`: the labels of the target that its series get. */
  constructor(target: Labels, options: SampleLabelOptions) {
    this.#target = target;
    this.#options = options;
  }

  /**
   * The labels to store a sample under; undefined when it is dropped. `empty` were exposed with an empty value: where
   * exposed labels are honored, the target does not put its own there. Throws `bad_data` when the whole scrape is to fail.
   */
  ofSample(exposed: Labels, empty: readonly string[] = []): Labels | undefined {
    const { honorLabels, metricRelabeler } = this.#options;
    const joined = honorLabels
      ? withMissing(exposed, empty.length === 0 ? this.#target : this.#target.drop(new Set(empty)))
      : withConflicts(exposed, this.#target);
    const kept = metricRelabeler.apply(joined);
    if (kept === undefined || kept.size === 0) return undefined;
    this.#check(kept);
    return withMissing(kept, this.#options.externalLabels);
  }

  /** The labels of a series about the scrape, such as `up`. */
  ofReport(name: string): Labels {
    return withMissing(Labels.from([...this.#target, [METRIC_NAME, name]]), this.#options.externalLabels);
  }

  #check(labels: Labels): void {
    const { nameScheme } = this.#options;
    const name = labels.get(METRIC_NAME);
    if (name === '') fail('missing metric name (__name__ label)');
    const isGood = nameScheme === 'utf8' || LEGACY_METRIC.test(name);
    if (!isGood || !labels.flat.every((text, i) => i % 2 === 1 || isLabelName(text, nameScheme)))
      fail(`invalid metric name or label names: ${labels}`);
    checkLimits(labels, name, this.#options);
  }
}

/** Prometheus' checks, in its words. */
function checkLimits(labels: Labels, name: string, limits: LabelLimits): void {
  const { labelLimit, labelNameLengthLimit, labelValueLengthLimit } = limits;
  const metric = name.slice(0, 50);
  if (labelLimit > 0 && labels.size > labelLimit)
    fail(`label_limit exceeded (metric: ${metric}, number of labels: ${labels.size}, limit: ${labelLimit})`);
  for (const [label, value] of labels) {
    if (isLonger(label, labelNameLengthLimit))
      fail(
        `label_name_length_limit exceeded (metric: ${metric}, label name: ${label.slice(0, 50)}, length: ${Buffer.byteLength(label)}, limit: ${labelNameLengthLimit})`,
      );
    if (isLonger(value, labelValueLengthLimit))
      fail(
        `label_value_length_limit exceeded (metric: ${metric}, label name: ${label.slice(0, 50)}, value: ${JSON.stringify(value.slice(0, 50))}, length: ${Buffer.byteLength(value)}, limit: ${labelValueLengthLimit})`,
      );
  }
}

function isLonger(text: string, max: number): boolean {
  return max > 0 && Buffer.byteLength(text) > max;
}

function withMissing(labels: Labels, more: Labels): Labels {
  if (more.size === 0) return labels;
  return Labels.from([...more, ...labels]);
}

/** The labels of the target win; what was exposed under their names goes on under `exported_…`. */
function withConflicts(exposed: Labels, target: Labels): Labels {
  const labels = new Map([...exposed, ...target]);
  const conflicts = [...target].map(([name]) => name).filter((name) => exposed.has(name));
  for (const name of conflicts.sort((a, b) => a.length - b.length)) {
    let renamed = EXPORTED + name;
    while (labels.has(renamed)) renamed = EXPORTED + renamed;
    labels.set(renamed, exposed.get(name));
  }
  return Labels.from(labels);
}

function fail(message: string): never {
  throw new VeronaError('bad_data', message);
}
