import { VeronaError } from '../../model/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import type { Binary, VectorMatching } from '../parser/ast.ts';
import { changesMeaning, elementOperation, type Problem } from './element-operators.ts';
import { withoutMetadata } from './names.ts';
import type { Element, Point } from './rows.ts';

/** The elements that an operator makes of two vectors at one step, and the last thing to be said about them. */
export interface VectorResult {
  readonly elements: readonly Element[];
  readonly problem?: Problem | undefined;
}

/** `and`, `or`, `unless`. */
export function setOperation(
  { op, matching }: Binary,
  left: readonly Element[],
  right: readonly Element[],
): readonly Element[] {
  const keysOf = (elements: readonly Element[]) =>
    new Set(elements.map(({ labels }) => keyOf(labels, matching!)));
  const [leftKeys, rightKeys] = [keysOf(left), keysOf(right)];
  if (op === 'and') return left.filter(({ labels }) => rightKeys.has(keyOf(labels, matching!)));
  if (op === 'unless') return left.filter(({ labels }) => !rightKeys.has(keyOf(labels, matching!)));
  return [...left, ...right.filter(({ labels }) => !leftKeys.has(keyOf(labels, matching!)))];
}

/** What two elements must have in common. */
function matchedLabels(labels: Labels, { on, labels: names }: VectorMatching): Labels {
  return on ? labels.keep(new Set(names)) : labels.drop(new Set([...names, METRIC_NAME]));
}

function keyOf(labels: Labels, matching: VectorMatching): string {
  return matchedLabels(labels, matching).key();
}

/**
 * Arithmetic and comparisons of two vectors. In the words of Prometheus the right side is the "one" side; for
 * `group_right` the sides change places and only values are taken the other way round.
 */
export function vectorOperation(
  expr: Binary,
  left: readonly Element[],
  right: readonly Element[],
  dropsNames: boolean,
): VectorResult {
  const matching = expr.matching!;
  const swapped = matching.cardinality === 'one-to-many';
  const fills = matching.fillLeft !== undefined || matching.fillRight !== undefined;
  if (left.length + right.length === 0) return { elements: [] };
  if ((left.length === 0 || right.length === 0) && !fills) return { elements: [] };
  const [many, ones] = swapped ? [right, left] : [left, right];
  // As Prometheus has it the filling values stay where they are when the sides change places.
  const [fillMany, fillOne] = [matching.fillLeft, matching.fillRight];
  const join = new Join(expr, oneSide(ones, matching), dropsNames);
  for (const element of many) {
    const key = keyOf(element.labels, matching);
    const partner = join.ones.get(key) ?? filled(element, matching, fillOne);
    if (partner !== undefined) join.add(element, partner, key);
  }
  for (const element of fillMany === undefined ? [] : ones) {
    const key = keyOf(element.labels, matching);
    if (!join.isMatched(key)) join.add(filled(element, matching, fillMany)!, element, key);
  }
  return { elements: join.results, problem: join.problem };
}

/** The missing partner of an element. */
function filled(of: Element, matching: VectorMatching, value: number | undefined): Element | undefined {
  if (value === undefined) return undefined;
  return { labels: matchedLabels(of.labels, matching), dropName: false, point: value };
}

function oneSide(elements: readonly Element[], matching: VectorMatching): Map<string, Element> {
  const ones = new Map<string, Element>();
  for (const element of elements) {
    const key = keyOf(element.labels, matching);
    const known = ones.get(key);
    if (known !== undefined) throw duplicate(element, known, matching);
    ones.set(key, element);
  }
  return ones;
}

function duplicate(a: Element, b: Element, matching: VectorMatching): VeronaError {
  const side = matching.cardinality === 'one-to-many' ? 'left' : 'right';
  const texts = [String(a.labels), String(b.labels)].sort();
  return new VeronaError(
    'execution',
    `found duplicate series for the match group ${matchedLabels(a.labels, matching)} on the ${side} hand-side of the operation: ` +
      `[${texts.join(', ')}];many-to-many matching not allowed: matching labels must be unique on one side`,
  );
}

class Join {
  readonly ones: ReadonlyMap<string, Element>;
  readonly results: Element[] = [];
  problem: Problem | undefined;
  readonly #expr: Binary;
  readonly #dropsNames: boolean;
  /** The label sets of the results, by what was matched. */
  readonly #matched = new Map<string, Set<string>>();

  constructor(expr: Binary, ones: ReadonlyMap<string, Element>, dropsNames: boolean) {
    this.#expr = expr;
    this.ones = ones;
    this.#dropsNames = dropsNames;
  }

  isMatched(key: string): boolean {
    return this.#matched.has(key);
  }

  add(many: Element, one: Element, key: string): void {
    const { returnBool, matching } = this.#expr;
    const [a, b] = matching!.cardinality === 'one-to-many' ? [one, many] : [many, one];
    const { point, keep, problem } = elementOperation(this.#expr, a.point, b.point);
    this.problem = problem ?? this.problem;
    if (point === undefined) return;
    const labels = resultLabels(this.#expr, many.labels, one.labels, this.#dropsNames);
    this.#claim(key, labels);
    if (!keep && !returnBool) return;
    const value: Point = returnBool ? Number(keep) : point;
    this.results.push({ labels, dropName: returnBool, point: value });
  }

  #claim(key: string, labels: Labels): void {
    const known = this.#matched.get(key);
    const oneToOne = this.#expr.matching!.cardinality === 'one-to-one';
    if (known === undefined) this.#matched.set(key, new Set([labels.key()]));
    else if (oneToOne)
      throw new VeronaError(
        'execution',
        'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
      );
    else if (known.has(labels.key()))
      throw new VeronaError(
        'execution',
        'multiple matches for labels: grouping labels must ensure unique matches',
      );
    else known.add(labels.key());
  }
}

function resultLabels(
  { op, matching, returnBool }: Binary,
  many: Labels,
  one: Labels,
  dropsNames: boolean,
): Labels {
  let labels = changesMeaning(op) || (returnBool && dropsNames) ? withoutMetadata(many) : many;
  if (matching!.cardinality === 'one-to-one') {
    const names = new Set(matching!.labels);
    labels = matching!.on ? labels.keep(names) : labels.drop(names);
  }
  return labels.with(Object.fromEntries(matching!.include.map((name) => [name, one.get(name)])));
}

/** An operator between a vector and a number. */
export function scalarVectorOperation(
  expr: Binary,
  vector: readonly Element[],
  scalar: number,
  scalarIsLeft: boolean,
  dropsNames: boolean,
): VectorResult {
  let last: Problem | undefined;
  const elements: Element[] = [];
  for (const element of vector) {
    const [a, b] = scalarIsLeft ? [scalar, element.point] : [element.point, scalar];
    const { point, keep, problem } = elementOperation(expr, a, b);
    last = problem ?? last;
    if (point === undefined || (!keep && !expr.returnBool)) continue;
    const isNew = changesMeaning(expr.op);
    const value = expr.returnBool ? Number(keep) : isNew || isTrim(expr) ? point : element.point;
    const drops = isNew || expr.returnBool;
    elements.push({
      labels: drops && dropsNames ? withoutMetadata(element.labels) : element.labels,
      dropName: drops || element.dropName,
      point: value,
    });
  }
  return { elements, problem: last };
}

function isTrim({ op }: Binary): boolean {
  return op === '</' || op === '>/';
}
