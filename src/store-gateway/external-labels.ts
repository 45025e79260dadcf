import type { BucketBlock } from '../blocks/block-catalog.ts';
import { decodeLabels, encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';

/**
 * Labels that every series of a block in Thanos' layout has besides its own: there a block's external labels tell the
 * series of one Prometheus from those of another. A label of the series with the same name gives way, as in Thanos.
 */
export class ExternalLabels {
  readonly #values: ReadonlyMap<string, string>;

  private constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** Undefined when the block's series are what they are. */
  static of({ seriesLabels = {} }: BucketBlock): ExternalLabels | undefined {
    const values = new Map(Object.entries(seriesLabels).filter(([, value]) => value !== ''));
    return values.size > 0 ? new ExternalLabels(values) : undefined;
  }

  get names(): readonly string[] {
    return [...this.#values.keys()];
  }

  value(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** The matchers that are left to ask the block; undefined when none of its series can match. */
  remaining(matchers: readonly Matcher[]): readonly Matcher[] | undefined {
    const [own, others] = [[] as Matcher[], [] as Matcher[]];
    for (const matcher of matchers) (this.#values.has(matcher.name) ? own : others).push(matcher);
    return own.every((matcher) => matcher.matches(this.#values.get(matcher.name) ?? '')) ? others : undefined;
  }

  /** Canonical label bytes of a series with these labels added. */
  addTo(labelBytes: Uint8Array): Uint8Array {
    return encodeLabels(Labels.from([...decodeLabels(labelBytes), ...this.#values]));
  }
}
