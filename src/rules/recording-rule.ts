import { VeronaError } from '../model/errors.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { RuleDefinition } from './rule-file.ts';
import type { RuleQuery, RuleSample } from './rule-query.ts';

/** Records the answer of an expression as series of its own name. */
export class RecordingRule {
  readonly kind = 'recording';
  readonly definition: RuleDefinition;

  constructor(definition: RuleDefinition) {
    this.definition = definition;
  }

  get name(): string {
    return this.definition.name;
  }

  /** The samples to be stored for `timeMs`. Rejects with what the query fails with, equal label sets, or too many series. */
  async evaluate(query: RuleQuery, timeMs: number, limit: number): Promise<RuleSample[]> {
    const found = await query(this.definition.expr, timeMs);
    const samples = found.map((sample) => ({ ...sample, labels: this.#labelsOf(sample.labels) }));
    if (new Set(samples.map(({ labels }) => labels.key())).size < samples.length)
      throw new VeronaError(
        'execution',
        'vector contains metrics with the same labelset after applying rule labels',
      );
    if (limit > 0 && samples.length > limit)
      throw new VeronaError('execution', `exceeded limit of ${limit} with ${samples.length} series`);
    return samples;
  }

  #labelsOf(labels: Labels): Labels {
    return labelsWith(labels, [[METRIC_NAME, this.name], ...this.definition.labels]);
  }
}

/** A label set with some labels put over it; an empty value takes one away. */
export function labelsWith(labels: Labels, changes: Iterable<readonly [string, string]>): Labels {
  const pairs = new Map<string, string>();
  for (let i = 0; i < labels.flat.length; i += 2) pairs.set(labels.flat[i], labels.flat[i + 1]);
  for (const [name, value] of changes) pairs.set(name, value);
  return Labels.from(pairs);
}
