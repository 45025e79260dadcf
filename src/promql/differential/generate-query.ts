import { type FunctionSignature, functionSignature } from '../functions/signatures.ts';
import type { ValueType } from '../parser/ast.ts';
import { type Chance, often, pick, some, weighted } from './chance.ts';
import type { Dialect } from './dialect.ts';
import { SelectorGenerator } from './generate-selector.ts';

const NUMBERS = [
  '0',
  '1',
  '2',
  '-1',
  '0.5',
  '1.5',
  '3',
  '10',
  '100',
  '-0',
  '7',
  '1e3',
  'NaN',
  'Inf',
  '-Inf',
  '1e300',
];
const PLAIN_NUMBERS = ['0', '1', '2', '-1', '0.5', '1.5', '3', '10', '100'];
const SET_OPERATORS = ['and', 'or', 'unless'];
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];

/** A query of a dialect, with types that fit. */
export function generateQuery(chance: Chance, dialect: Dialect): string {
  return new QueryGenerator(chance, dialect).query();
}

class QueryGenerator {
  readonly #chance: Chance;
  readonly #dialect: Dialect;
  readonly #selectors: SelectorGenerator;

  constructor(chance: Chance, dialect: Dialect) {
    this.#chance = chance;
    this.#dialect = dialect;
    this.#selectors = new SelectorGenerator(chance, dialect);
  }

  query(): string {
    const depth = weighted(this.#chance, [
      [1, 0],
      [3, 1],
      [4, 2],
      [2, 3],
      [1, 4],
    ]);
    if (this.#dialect.outermost.length > 0 && often(this.#chance, 12)) return this.#outermost(depth);
    return often(this.#chance, 5) ? this.#scalar(depth) : this.#vector(depth);
  }

  /** Where two versions compute in different ways nothing more is made of the result. */
  #outermost(depth: number): string {
    const name = pick(this.#chance, this.#dialect.outermost);
    const signature = functionSignature(name);
    return signature === undefined ? this.#aggregationOf(name, depth) : this.#callOf(signature, depth);
  }

  #vector(depth: number): string {
    if (depth <= 0) return this.#selectors.instant();
    return weighted(this.#chance, [
      [2, () => this.#selectors.instant()],
      [6, () => this.#call('vector', depth)],
      [5, () => this.#aggregation(depth)],
      [6, () => this.#binary(depth)],
      [1, () => `-${this.#operand(depth)}`],
      [1, () => `(${this.#vector(depth - 1)})`],
    ])();
  }

  #scalar(depth: number): string {
    const numbers = this.#dialect.isModern ? NUMBERS : PLAIN_NUMBERS;
    if (depth <= 0) return pick(this.#chance, numbers);
    return weighted(this.#chance, [
      [6, () => pick(this.#chance, numbers)],
      [2, () => this.#call('scalar', depth)],
      [1, () => this.#scalarBinary(depth)],
    ])();
  }

  #scalarBinary(depth: number): string {
    const operators = this.#dialect.operators.filter(
      (op) => !SET_OPERATORS.includes(op) && !op.includes('/'),
    );
    const op = pick(this.#chance, operators);
    const bool = COMPARISONS.includes(op) ? ' bool' : '';
    return `(${this.#scalar(depth - 1)} ${op}${bool} ${this.#scalar(depth - 1)})`;
  }

  /** A vector that may stand beside an operator without changing what belongs together. */
  #operand(depth: number): string {
    const text = this.#vector(depth - 1);
    return /^[^- ][^ ]*$/.test(text) ? text : `(${text})`;
  }

  #call(returns: ValueType, depth: number): string {
    const { functions, outermost } = this.#dialect;
    const signatures = functions
      .filter((name) => !outermost.includes(name))
      .map((name) => functionSignature(name)!)
      .filter((signature) => signature.returns === returns);
    return this.#callOf(pick(this.#chance, signatures), depth);
  }

  #callOf(signature: FunctionSignature, depth: number): string {
    const special = this.#specialCall(signature.name, depth);
    if (special !== undefined) return special;
    const { args, argsMin, argsMax, name } = signature;
    const count = this.#chance.int(argsMin, Math.min(argsMax, argsMin + 2));
    const texts = Array.from({ length: count }, (_, i) =>
      this.#argument(args[Math.min(i, args.length - 1)], name, depth),
    );
    return `${name}(${texts.join(', ')})`;
  }

  #argument(type: ValueType, func: string, depth: number): string {
    switch (type) {
      case 'matrix':
        return this.#matrix(func, depth);
      case 'scalar':
        return this.#parameter(func, depth);
      case 'string':
        return `"${pick(this.#chance, this.#dialect.labelNames)}"`;
      default:
        return this.#vector(depth - 1);
    }
  }

  /** Mostly what makes sense, sometimes anything. */
  #parameter(func: string, depth: number): string {
    const isModern = this.#dialect.isModern;
    if (isModern && often(this.#chance, 15)) return this.#scalar(depth - 1);
    if (func.includes('quantile'))
      return pick(this.#chance, [
        '0',
        '0.5',
        '0.9',
        '0.99',
        '1',
        '0.25',
        ...(isModern ? ['-1', '2', 'NaN'] : []),
      ]);
    if (func.includes('smoothing')) return pick(this.#chance, ['0.1', '0.5', '0.9']);
    if (func === 'limit_ratio') return pick(this.#chance, ['0.5', '-0.5', '0.1', '1', '0', '1.5', '-2']);
    if (/k$/.test(func))
      return pick(this.#chance, ['0', '1', '1', '2', '3', '5', ...(isModern ? ['-1', '1.9'] : [])]);
    return this.#scalar(depth - 1);
  }

  #matrix(func: string, depth: number): string {
    const { counters, metrics, isModern } = this.#dialect;
    const isRate = func === 'rate' || func === 'increase';
    if (isRate && counters !== undefined) return this.#selectors.range(counters, func);
    // Below a subquery are times of its own, which samples may have.
    const nested = isModern || !this.#isInSubquery;
    if (depth > 0 && nested && often(this.#chance, 25)) {
      this.#isInSubquery = true;
      const inner = this.#operand(depth);
      this.#isInSubquery = false;
      return this.#selectors.subquery(inner);
    }
    return this.#selectors.range(metrics, func);
  }

  #isInSubquery = false;

  #specialCall(name: string, depth: number): string | undefined {
    const label = () =>
      pick(
        this.#chance,
        this.#dialect.labelNames.filter((one) => one !== '__type__'),
      );
    switch (name) {
      case 'label_replace': {
        const template = pick(this.#chance, ['$1', 'x$1', '', '${1}y', 'const']);
        const regex = pick(this.#chance, ['(.*)', '(.+)', '([0-9]+)', 'a(.*)', '']);
        return `label_replace(${this.#vector(depth - 1)}, "${label()}", "${template}", "${label()}", "${regex}")`;
      }
      case 'label_join':
        return `label_join(${this.#vector(depth - 1)}, "${label()}", "${pick(this.#chance, ['-', '', '/'])}", "${label()}", "${label()}")`;
      case 'sort_by_label':
      case 'sort_by_label_desc':
        return `${name}(${this.#vector(depth - 1)}, "${label()}")`;
      case 'histogram_quantile':
        return `histogram_quantile(${this.#parameter(name, depth)}, ${this.#buckets(depth)})`;
      case 'histogram_quantiles':
        return `histogram_quantiles(${this.#buckets(depth)}, "q", ${pick(this.#chance, ['0.5, 0.9', '0, 1', '-1, 0.25', 'NaN, 2', '0.99'])})`;
      case 'histogram_fraction':
        return `histogram_fraction(${this.#scalar(0)}, ${this.#scalar(0)}, ${this.#buckets(depth)})`;
      case 'info':
        return `info(${this.#vector(depth - 1)}${pick(this.#chance, ['', '', ', {version=~".+"}', ', {__name__="build_info"}', ', {__name__=~".+_info", job!="x"}', ', {nothing=""}'])})`;
      default:
        return undefined;
    }
  }

  /** Classic buckets or native histograms. */
  #buckets(depth: number): string {
    const { isModern } = this.#dialect;
    return weighted(this.#chance, [
      [3, () => 'latency_bucket'],
      [2, () => `rate(latency_bucket[${pick(this.#chance, ['1m', '5m'])}])`],
      [2, () => `sum by (le${pick(this.#chance, ['', ', job'])}) (latency_bucket)`],
      [
        isModern ? 4 : 0,
        () => pick(this.#chance, ['h', 'rate(h[5m])', 'sum(h)', 'sum by (job) (rate(h[2m]))']),
      ],
      [isModern ? 2 : 0, () => this.#vector(depth - 1)],
    ])();
  }

  #aggregation(depth: number): string {
    const { aggregations, outermost } = this.#dialect;
    return this.#aggregationOf(
      pick(
        this.#chance,
        aggregations.filter((op) => !outermost.includes(op)),
      ),
      depth,
    );
  }

  #aggregationOf(op: string, depth: number): string {
    const names = some(this.#chance, ['job', 'instance', 'code', 'le', 'nothing'], 30);
    const grouping = weighted(this.#chance, [
      [3, ''],
      [4, ` by (${names.join(', ')})`],
      [3, ` without (${names.join(', ')})`],
      [this.#dialect.isModern ? 1 : 0, ' by (__name__, job)'],
    ]);
    const vector = this.#vector(depth - 1);
    const param = op === 'count_values' ? `"${pick(this.#chance, ['value', 'job', 'version'])}"` : undefined;
    const needs = ['topk', 'bottomk', 'limitk', 'limit_ratio', 'quantile'].includes(op);
    const first = param ?? (needs ? this.#parameter(op, depth) : undefined);
    return `${op}${grouping} (${first === undefined ? '' : `${first}, `}${vector})`;
  }

  #binary(depth: number): string {
    const op = pick(this.#chance, this.#dialect.operators);
    const bool = COMPARISONS.includes(op) && often(this.#chance, 30) ? ' bool' : '';
    if (SET_OPERATORS.includes(op))
      return `${this.#operand(depth)} ${op}${this.#matching()} ${this.#operand(depth)}`;
    return weighted(this.#chance, [
      [4, () => `${this.#operand(depth)} ${op}${bool} ${this.#scalarOperand(depth)}`],
      [2, () => `${this.#scalarOperand(depth)} ${op}${bool} ${this.#operand(depth)}`],
      [
        6,
        () =>
          `${this.#operand(depth)} ${op}${bool}${this.#joining()}${this.#fills()} ${this.#operand(depth)}`,
      ],
    ])();
  }

  #scalarOperand(depth: number): string {
    return `(${this.#scalar(depth - 1)})`;
  }

  #matching(): string {
    const names = some(this.#chance, ['job', 'instance', 'code', 'le'], 35);
    return weighted(this.#chance, [
      [4, ''],
      [3, ` on (${names.join(', ')})`],
      [3, ` ignoring (${names.join(', ')})`],
    ]);
  }

  #joining(): string {
    const matching = this.#matching();
    if (matching === '' || often(this.#chance, 50)) return matching;
    const include = pick(this.#chance, [' ()', ' ()', ' (version)', ' (nothing, version)']);
    return `${matching} ${pick(this.#chance, ['group_left', 'group_right'])}${include}`;
  }

  #fills(): string {
    if (!this.#dialect.isModern) return '';
    return weighted(this.#chance, [
      [8, ''],
      [1, ' fill (0)'],
      [1, ' fill_left (1)'],
      [1, ' fill_right (NaN) fill_left (2)'],
    ]);
  }
}
