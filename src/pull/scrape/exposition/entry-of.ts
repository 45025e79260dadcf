import type { AnyHistogram } from '../../../model/histogram.ts';
import type { Labels } from '../../../model/labels.ts';
import type { MetricType } from '../../../model/metadata.ts';
import type { EntryKind, ExposedExemplar, ExpositionParser } from './parser.ts';

/** A parser over another one: what it does not say itself is what the inner one says of its entry. */
export abstract class EntryOf<Inner extends ExpositionParser> implements ExpositionParser {
  protected readonly inner: Inner;

  constructor(inner: Inner) {
    this.inner = inner;
  }

  abstract next(): EntryKind;

  get key(): string {
    return this.inner.key;
  }

  get value(): number {
    return this.inner.value;
  }

  get histogram(): AnyHistogram | undefined {
    return this.inner.histogram;
  }

  get t(): number {
    return this.inner.t;
  }

  get startT(): number {
    return this.inner.startT;
  }

  labels(): Labels {
    return this.inner.labels();
  }

  get emptyLabels(): readonly string[] {
    return this.inner.emptyLabels;
  }

  get duplicateLabel(): string | undefined {
    return this.inner.duplicateLabel;
  }

  exemplars(): readonly ExposedExemplar[] {
    return this.inner.exemplars();
  }

  get family(): string {
    return this.inner.family;
  }

  get type(): MetricType {
    return this.inner.type;
  }

  get help(): string {
    return this.inner.help;
  }

  get unit(): string {
    return this.inner.unit;
  }
}
