import { VeronaError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import { compareStrings, type Labels } from '../../model/labels.ts';
import { assert } from '../../platform/assert.ts';
import type { VectorMatching } from '../parser/ast.ts';
import type { BinaryPlan } from '../plan/node.ts';
import { type Batch, dropEmptyRows, Presence } from './batch.ts';
import { CellOperation, type CellOutcome } from './cell-operation.ts';
import type { Grid } from './grid.ts';
import { joinFloats } from './join-floats.ts';
import { LabelGrouping } from './label-grouping.ts';
import { LastRemarks } from './last-remarks.ts';
import { type JoinSides, type MatchGroups, matchGroups } from './match-groups.ts';
import { METADATA_LABELS } from './metadata-labels.ts';
import { collect, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import { RowBuilder } from './row-builder.ts';
import { keepsName } from './scalar-binary.ts';

/**
 * Arithmetic and comparison of two vectors. Rows of both sides get the number of their match group once; what
 * follows is loops over steps. The "many" side is the left one unless the query says group_right.
 */
export class Join implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #plan: BinaryPlan;
  readonly #left: Operator;
  readonly #right: Operator;
  #done = false;

  constructor(context: QueryContext, plan: BinaryPlan, left: Operator, right: Operator) {
    this.grid = left.grid;
    this.#context = context;
    this.#plan = plan;
    this.#left = left;
    this.#right = right;
  }

  async next(): Promise<Batch | undefined> {
    if (this.#done) return undefined;
    this.#done = true;
    const left = await collect(this.#left, this.#context);
    const right = await collect(this.#right, this.#context);
    const { matching } = this.#plan;
    assert(matching !== undefined, 'a join has a matching');
    const swapped = matching.cardinality === 'one-to-many';
    const sides = swapped ? { many: right, one: left } : { many: left, one: right };
    const groups = matchGroups(this.#context, sides, new LabelGrouping(matching.labels, !matching.on));
    const joined =
      joinFloats(this.#context, this.#plan, sides, groups) ??
      new Matching(this.#context, this.#plan, sides, groups).run();
    const batch = dropEmptyRows(joined);
    return batch.count === 0 ? undefined : batch;
  }
}

/** The state of one join over whole batches. */
class Matching {
  readonly #context: QueryContext;
  readonly #plan: BinaryPlan;
  readonly #matching: VectorMatching;
  readonly #many: Batch;
  readonly #one: Batch;
  readonly #swapped: boolean;
  readonly #steps: number;
  readonly #operation: CellOperation;
  readonly #grouping: LabelGrouping;
  readonly #out: RowBuilder;
  /** Group of each row; per group and step the row of the "one" side, or -1. */
  readonly #manyGroups: Int32Array;
  readonly #oneGroups: Int32Array;
  readonly #oneAt: Int32Array;
  /** Per group and step, whether two elements met and had a result, wanted or not. */
  readonly #matched: Uint8Array;
  /** Many to one: the same for every label set of a result, at the steps where it is not to come again. */
  readonly #claims = new Map<string, Uint8Array>();
  readonly #remarks = new LastRemarks();
  /** The earliest step with an error, which is the one to tell of; what comes from there on is not looked at. */
  #failingStep: number;
  #error: VeronaError | undefined;

  constructor(context: QueryContext, plan: BinaryPlan, sides: JoinSides, groups: MatchGroups) {
    assert(plan.matching !== undefined, 'a join has a matching');
    this.#context = context;
    this.#plan = plan;
    this.#matching = plan.matching;
    this.#swapped = plan.matching.cardinality === 'one-to-many';
    this.#many = sides.many;
    this.#one = sides.one;
    this.#steps = sides.many.steps;
    this.#failingStep = this.#steps;
    this.#operation = new CellOperation(plan.op, this.#remarks);
    this.#grouping = new LabelGrouping(plan.matching.labels, !plan.matching.on);
    this.#out = new RowBuilder(this.#steps, this.#many.count);
    const { many, one, count } = groups;
    this.#manyGroups = many;
    this.#oneGroups = one;
    this.#oneAt = new Int32Array(count * this.#steps).fill(-1);
    this.#matched = new Uint8Array(count * this.#steps);
    context.hold(count * this.#steps);
  }

  run(): Batch {
    this.#placeOneSide();
    for (let row = 0; row < this.#many.count; row++) {
      this.#context.workedOn(this.#steps);
      this.#joinRow(row);
    }
    const fill = this.#fillOf('many');
    for (let row = 0; fill !== undefined && row < this.#one.count; row++) {
      this.#context.workedOn(this.#steps);
      this.#fillMany(row, fill);
    }
    if (this.#error !== undefined) throw this.#error;
    this.#remarks.make(this.#context, this.#plan.span);
    return this.#out.finish();
  }

  #placeOneSide(): void {
    const one = this.#one;
    const occupied = this.#stepsWithMany();
    for (let row = 0; row < one.count; row++) {
      this.#context.workedOn(this.#steps);
      const to = this.#oneGroups[row] * this.#steps;
      for (let i = 0; i < this.#failingStep; i++) {
        if (one.presence[row * this.#steps + i] === Presence.none) continue;
        if (this.#oneAt[to + i] !== -1 && occupied[i] === 1)
          this.#fail(i, this.#duplicate(this.#oneAt[to + i], row));
        else this.#oneAt[to + i] = row;
      }
    }
  }

  #fail(step: number, message: string): void {
    this.#failingStep = step;
    this.#error = new VeronaError('execution', message);
  }

  /** At a step where the other side has nothing, ambiguous partners do no harm. */
  #stepsWithMany(): Uint8Array {
    const occupied = new Uint8Array(this.#steps);
    const { presence } = this.#many;
    if (this.#matching.fillLeft !== undefined || this.#matching.fillRight !== undefined)
      return occupied.fill(1);
    let missing = this.#steps;
    for (let row = 0; row < this.#many.count && missing > 0; row++)
      for (let i = 0; i < this.#steps; i++)
        if (occupied[i] === 0 && presence[row * this.#steps + i] !== Presence.none) {
          occupied[i] = 1;
          missing--;
        }
    return occupied;
  }

  #duplicate(a: number, b: number): string {
    const two = [a, b].map((row) => String(this.#one.labels.at(row))).sort(compareStrings);
    const group = this.#grouping.project(this.#one.labels.at(b));
    const side = this.#swapped ? 'left' : 'right';
    return `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: [${two.join(', ')}];many-to-many matching not allowed: matching labels must be unique on one side`;
  }

  #joinRow(row: number): void {
    const many = this.#many;
    const group = this.#manyGroups[row];
    const fill = this.#fillOf('one');
    let outRow = -1;
    let outOne = -2;
    for (let i = 0; i < this.#failingStep; i++) {
      const cell = row * this.#steps + i;
      if (many.presence[cell] === Presence.none) continue;
      const one = this.#oneAt[group * this.#steps + i];
      if (one === -1 && fill === undefined) {
        continue;
      }
      this.#remarks.step = i;
      const oneCell = one * this.#steps + i;
      const outcome =
        one === -1
          ? this.#apply(many.values[cell], histogramAt(many, cell), fill!, undefined)
          : this.#apply(
              many.values[cell],
              histogramAt(many, cell),
              this.#one.values[oneCell],
              histogramAt(this.#one, oneCell),
            );
      if (outcome === 'dropped') continue;
      if (one !== outOne) {
        const labels = many.labels.at(row);
        const partner = one === -1 ? this.#grouping.project(labels) : this.#one.labels.at(one);
        outRow = this.#outRow(labels, partner);
        outOne = one;
      }
      this.#put(outRow, group, i, outcome);
    }
  }

  /** Rows of the "one" side without a partner at a step meet the fill value. */
  #fillMany(row: number, fill: number): void {
    const group = this.#oneGroups[row];
    for (let i = 0; i < this.#failingStep; i++) {
      const cell = row * this.#steps + i;
      if (this.#one.presence[cell] === Presence.none || this.#matched[group * this.#steps + i] !== 0)
        continue;
      this.#remarks.step = i;
      const outcome = this.#apply(fill, undefined, this.#one.values[cell], histogramAt(this.#one, cell));
      if (outcome === 'dropped') continue;
      const labels = this.#one.labels.at(row);
      this.#put(this.#outRow(this.#grouping.project(labels), labels), group, i, outcome);
    }
  }

  /** The operator with its operands in the order written. */
  #apply(
    many: number,
    manyHistogram: FloatHistogram | undefined,
    one: number,
    oneHistogram: FloatHistogram | undefined,
  ): CellOutcome {
    const operation = this.#operation;
    const outcome = this.#swapped
      ? operation.apply(one, oneHistogram, many, manyHistogram)
      : operation.apply(many, manyHistogram, one, oneHistogram);
    if (outcome === 'dropped' || !this.#plan.returnBool) return outcome;
    operation.kind = Presence.float;
    operation.value = outcome === 'kept' ? 1 : 0;
    return 'kept';
  }

  /** A match must be the only one of its group, or of its labels, even when the comparison does not hold. */
  #put(row: number, group: number, step: number, outcome: CellOutcome): void {
    const oneToOne = this.#matching.cardinality === 'one-to-one';
    const cell = group * this.#steps + step;
    const isFirst = oneToOne ? this.#matched[cell] === 0 : this.#claim(row, group, step);
    if (!isFirst) {
      this.#fail(step, oneToOne ? AMBIGUOUS_ONE : AMBIGUOUS_MANY);
      return;
    }
    this.#matched[cell] = 1;
    if (outcome !== 'kept') return;
    if (this.#out.has(row, step)) {
      this.#fail(step, SAME_LABELSET);
      return;
    }
    const { kind, value, histogram } = this.#operation;
    if (kind === Presence.float) this.#out.setFloat(row, step, value);
    else this.#out.setHistogram(row, step, histogram!);
  }

  /** False when the label set was claimed before. */
  #claim(row: number, group: number, step: number): boolean {
    const key = `${row} ${group}`;
    let claims = this.#claims.get(key);
    if (claims === undefined) {
      claims = new Uint8Array(this.#steps);
      this.#context.hold(this.#steps);
      this.#claims.set(key, claims);
    }
    if (claims[step] !== 0) return false;
    claims[step] = 1;
    return true;
  }

  #fillOf(side: 'one' | 'many'): number | undefined {
    // Prometheus turns group_right around before it fills: `fill_left` is for the "many" side there too.
    return side === 'many' ? this.#matching.fillLeft : this.#matching.fillRight;
  }

  #outRow(many: Labels, one: Labels): number {
    const { returnBool, op } = this.#plan;
    const delayed = this.#context.delayedNameRemoval;
    let labels = this.#resultLabels(many, one);
    const arithmetic = !keepsName(op);
    if (arithmetic || (returnBool && !delayed)) labels = labels.drop(METADATA_LABELS);
    // Prometheus forgets here that a name was to go: a comparison of `rate(x)` has it again.
    return this.#out.rowOf(labels, delayed && !arithmetic && returnBool);
  }

  #resultLabels(many: Labels, one: Labels): Labels {
    const { cardinality, include, on, labels } = this.#matching;
    if (cardinality === 'one-to-one') {
      const names = new Set(labels);
      return on ? many.keep(names) : many.drop(names);
    }
    if (include.length === 0) return many;
    return many.with(Object.fromEntries(include.map((name) => [name, one.get(name)])));
  }
}

const AMBIGUOUS_ONE =
  'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)';
const AMBIGUOUS_MANY = 'multiple matches for labels: grouping labels must ensure unique matches';
const SAME_LABELSET = 'vector cannot contain metrics with the same labelset';

function histogramAt(batch: Batch, cell: number): FloatHistogram | undefined {
  return batch.presence[cell] === Presence.histogram ? batch.histograms![cell] : undefined;
}
