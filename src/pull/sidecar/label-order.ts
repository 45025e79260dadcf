import { encodeLabels, visitLabels } from '../../encoding/label-bytes.ts';
import { VeronaError } from '../../model/errors.ts';
import { Labels } from '../../model/labels.ts';
import { BatchBuilder } from '../../storage/batch-builder.ts';
import { compareLabelBytes } from '../../storage/compare-label-bytes.ts';
import { LabelChange } from '../../storage/label-change.ts';
import { equalBytes, type PlacedSeries } from '../../storage/regroup.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';

/**
 * Puts series that all have the external labels, and come in the order of their other ones, in the order of all, as they
 * come: no other label has the name of an external one.
 *
 * Labels put into two sets at the same names move a set past another only where the other one is longer: {a} is before
 * {a, b}, but {a, x} is behind {a, b, x}. A series with a name above all external ones is never moved past a later one, and
 * another one never past a later one that does not begin with all of its own labels. So a series waits only while those come
 * that begin with its labels. Throws `unavailable` when a series has not the external labels, or the order is another:
 * Prometheus was given others, or a label of such a name appeared just now.
 */
export async function* inLabelOrder(
  batches: AsyncIterable<SeriesBatch>,
  external: Labels,
): AsyncGenerator<SeriesBatch> {
  const order = new LabelOrder(external);
  for await (const batch of batches) {
    if (order.passes(batch)) yield batch;
    else yield* order.add(batch);
  }
  yield* order.end();
}

class LabelOrder {
  readonly #external: Labels;
  readonly #pairs: readonly Uint8Array[];
  readonly #lastName: Uint8Array;
  readonly #own: LabelChange;
  readonly #builder = new BatchBuilder();
  /** All but the first begin with the own labels of the first, which are `anchor`. */
  #waiting: PlacedSeries[] = [];
  #anchor: Uint8Array = new Uint8Array();
  #last: Uint8Array = new Uint8Array();

  constructor(external: Labels) {
    const names = [...external].map(([name]) => name);
    this.#external = external;
    this.#pairs = [...external].map(([name, value]) => encodeLabels(Labels.fromSorted([name, value])));
    this.#lastName = new TextEncoder().encode(names.at(-1));
    this.#own = new LabelChange(Labels.empty, names);
  }

  /** Whether a batch can go on as it is: nothing waits, and nothing of it has to. */
  passes(batch: SeriesBatch): boolean {
    if (this.#waiting.length > 0 || !this.#builder.isEmpty) return false;
    for (let i = 0; i < batch.seriesCount; i++) if (!this.#isSettled(labelsAt(batch, i))) return false;
    for (let i = 0; i < batch.seriesCount; i++) this.#follow(labelsAt(batch, i));
    this.#last = this.#last.slice();
    return true;
  }

  *add(batch: SeriesBatch): Generator<SeriesBatch> {
    for (let index = 0; index < batch.seriesCount; index++) {
      const labelBytes = labelsAt(batch, index);
      const isSettled = this.#isSettled(labelBytes);
      const own = this.#own.apply(labelBytes, 0, labelBytes.length);
      if (this.#waiting.length > 0 && !startsWith(own, this.#anchor)) yield* this.#release();
      if (this.#waiting.length === 0 && isSettled) yield* this.#put({ batch, index, labelBytes });
      else {
        if (this.#waiting.length === 0) this.#anchor = own;
        this.#waiting.push({ batch, index, labelBytes });
      }
    }
  }

  *end(): Generator<SeriesBatch> {
    yield* this.#release();
    if (!this.#builder.isEmpty) yield this.#builder.take();
  }

  *#release(): Generator<SeriesBatch> {
    const series = this.#waiting.sort((a, b) => compareLabelBytes(a.labelBytes, b.labelBytes));
    this.#waiting = [];
    for (const one of series) yield* this.#put(one);
  }

  *#put({ batch, index, labelBytes }: PlacedSeries): Generator<SeriesBatch> {
    this.#follow(labelBytes);
    this.#builder.addSeries(labelBytes);
    for (let c = batch.chunkStarts[index]; c < batch.chunkStarts[index + 1]; c++)
      this.#builder.addChunkOf(batch, c);
    if (!this.#builder.isFull) return;
    this.#last = this.#last.slice();
    yield this.#builder.take();
  }

  #follow(labelBytes: Uint8Array): void {
    if (this.#last.length > 0 && compareLabelBytes(this.#last, labelBytes) >= 0)
      throw new VeronaError(
        'unavailable',
        `Prometheus has series with labels of their own that are named as external labels (${this.#external}); ask again soon`,
      );
    this.#last = labelBytes;
  }

  /** Whether a name is above all external ones; looks for those on the way. */
  #isSettled(labelBytes: Uint8Array): boolean {
    let found = 0;
    let isAbove = false;
    let start = 0;
    visitLabels(labelBytes, 0, labelBytes.length, (nameStart, nameEnd, _valueStart, valueEnd) => {
      const pair = this.#pairs[found];
      if (pair?.length === valueEnd - start && equalBytes(pair, labelBytes.subarray(start, valueEnd)))
        found++;
      isAbove = Buffer.compare(labelBytes.subarray(nameStart, nameEnd), this.#lastName) > 0;
      start = valueEnd;
    });
    if (found < this.#pairs.length)
      throw new VeronaError(
        'unavailable',
        `Prometheus answers with other external labels than ${this.#external}; ask again soon`,
      );
    return isAbove;
  }
}

function labelsAt({ labelBytes, labelOffsets }: SeriesBatch, i: number): Uint8Array {
  return labelBytes.subarray(labelOffsets[i], labelOffsets[i + 1]);
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && equalBytes(bytes.subarray(0, prefix.length), prefix);
}
