import { VeronaError } from '../../model/errors.ts';
import { negateHistogram } from '../functions/histogram-binary.ts';
import { windowFunction } from '../functions/window-functions.ts';
import { isSetOperator, type Span } from '../parser/ast.ts';
import {
  type AggregatePlan,
  type BinaryPlan,
  type CallPlan,
  type PlanNode,
  planType,
  type SplitPlan,
  type SubqueryPlan,
  type WindowsPlan,
} from '../plan/node.ts';
import { Aggregate } from './aggregate.ts';
import { buildVectorCall } from './build-vector-call.ts';
import { CellMap } from './cell-map.ts';
import { CountValues } from './count-values.ts';
import { type Grid, instantGrid, subqueryGrid } from './grid.ts';
import { InstantSelect } from './instant-select.ts';
import { Join } from './join.ts';
import { DropNames } from './merge-rows.ts';
import { collectScalar, type Operator } from './operator.ts';
import { absentLabels, namesStayDistinct, oneNameOf, stringOf } from './plan-facts.ts';
import type { QueryContext } from './query-context.ts';
import { ranking } from './ranking.ts';
import { RemoteRows, UnionRows } from './remote-rows.ts';
import { floatOperation, keepsName } from './scalar-binary.ts';
import { absentRow, Repeat, SharedResult, scalarOf, scalarRow } from './scalars.ts';
import { SetOperation } from './set-operation.ts';
import { SplitRows } from './split-rows.ts';
import { CountedSelect, CountedWindows } from './step-counts.ts';
import { stretchedSubquery } from './stretched-subquery.ts';
import { SubqueryWindows } from './subquery-windows.ts';
import { TeamPart } from './team-part.ts';
import { vectorWithScalar } from './vector-binary.ts';
import { SelectorWindows, WindowCall, type WindowSource } from './window-call.ts';

/** Turns a plan into operators that evaluate it. */
export class OperatorBuilder {
  readonly context: QueryContext;
  readonly #shared = new Map<string, { readonly grid: Grid; readonly result: SharedResult }>();

  /** What is built now, when other threads may make some of its rows. */
  #part: TeamPart | undefined;

  constructor(context: QueryContext) {
    this.context = context;
  }

  build(node: PlanNode, grid: Grid): Operator {
    const operator = this.#build(node, grid);
    return this.context.analysis?.watch(node, operator) ?? operator;
  }

  #build(node: PlanNode, grid: Grid): Operator {
    switch (node.kind) {
      case 'number':
        return scalarRow(grid, () => node.value);
      case 'select':
        return this.#counted(new InstantSelect(this.context, node, grid, this.#part));
      case 'negate':
        return this.#buildNegate(node.child, grid);
      case 'step-invariant':
        return this.#buildOnce(node.child, grid);
      case 'shared':
        return this.#buildShared(node.id, node.child, grid);
      case 'split':
        return this.#buildSplit(node, grid).rows;
      case 'remote':
        return new RemoteRows(this.context, node, grid);
      case 'union':
        return new UnionRows(
          grid,
          node.parts.map((part) => this.build(part, grid)),
        );
      case 'aggregate':
        return this.#buildAggregate(node, grid);
      case 'binary':
        return this.#buildBinary(node, grid);
      case 'call':
        return this.#buildCall(node, grid);
      default:
        throw new VeronaError('execution', `a ${planType(node)} cannot be evaluated here`);
    }
  }

  /** Takes the metadata labels off what a call or an operator computes. `strict`: see `DropOptions`. */
  dropNames(operator: Operator, input: PlanNode, strict: boolean): Operator {
    return new DropNames(this.context, operator, { distinct: namesStayDistinct(input), strict });
  }

  #buildNegate(child: PlanNode, grid: Grid): Operator {
    const negated = new CellMap(this.context, this.build(child, grid), () => ({
      float: (v) => -v,
      histogram: (h) => negateHistogram(h),
    }));
    return planType(child) === 'scalar' ? negated : this.dropNames(negated, child, false);
  }

  #counted(select: Operator): Operator {
    const counts = this.context.stepCounts?.of(select.grid);
    return counts === undefined ? select : new CountedSelect(select, counts);
  }

  #buildOnce(child: PlanNode, grid: Grid): Operator {
    const once = instantGrid(grid.start);
    this.context.stepCounts?.add(once, grid, true);
    return new Repeat(this.build(child, once), grid);
  }

  #buildShared(id: number, child: PlanNode, grid: Grid): Operator {
    const key = `${id} ${grid.start} ${grid.step} ${grid.count}`;
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      // A grid of its own, as what is read once counts for every reader.
      const own = { ...grid };
      shared = { grid: own, result: new SharedResult(this.build(child, own), this.context) };
      this.#shared.set(key, shared);
    }
    this.context.stepCounts?.add(shared.grid, grid, false);
    return shared.result.reader();
  }

  #buildSplit({ child }: SplitPlan, grid: Grid): { rows: Operator; part: TeamPart | undefined } {
    const { context } = this;
    const { team } = context;
    if (
      team === undefined ||
      context.stepCounts !== undefined ||
      context.delayedNameRemoval ||
      context.typeLabels
    )
      return { rows: this.build(child, grid), part: undefined };
    const part = new TeamPart(context, team, child, grid);
    this.#part = part;
    const own = this.build(child, grid);
    this.#part = undefined;
    return { rows: new SplitRows(own, part), part };
  }

  #buildAggregate(node: AggregatePlan, grid: Grid): Operator {
    const { rows: child, part } =
      node.child.kind === 'split'
        ? this.#buildSplit(node.child, grid)
        : { rows: this.build(node.child, grid), part: undefined };
    if (node.op === 'count_values') return new CountValues(this.context, node, child, stringOf(node.param!));
    const param = node.param && this.build(node.param, grid);
    const ranks = ['topk', 'bottomk', 'limitk', 'limit_ratio'].includes(node.op);
    return ranks
      ? ranking(this.context, node, child, param!, part)
      : new Aggregate(this.context, node, child, param, part);
  }

  #buildBinary(node: BinaryPlan, grid: Grid): Operator {
    const left = this.build(node.left, grid);
    const right = this.build(node.right, grid);
    const leftIsScalar = planType(node.left) === 'scalar';
    const rightIsScalar = planType(node.right) === 'scalar';
    if (leftIsScalar && rightIsScalar) return scalarOf(grid, [left, right], floatOperation(node.op));
    if (leftIsScalar || rightIsScalar) {
      const [vector, scalar] = leftIsScalar ? [right, left] : [left, right];
      const result = vectorWithScalar(this.context, node, vector, scalar, leftIsScalar);
      const isKept = keepsName(node.op) && !node.returnBool;
      return isKept ? result : this.dropNames(result, leftIsScalar ? node.right : node.left, false);
    }
    if (isSetOperator(node.op)) return new SetOperation(this.context, node, left, right);
    return new Join(this.context, node, left, right);
  }

  #buildCall(node: CallPlan, grid: Grid): Operator {
    const ranged = node.args.find((arg) => arg.kind === 'windows' || arg.kind === 'subquery');
    return ranged === undefined
      ? buildVectorCall(this, node, grid)
      : this.#buildWindowCall(node, ranged as WindowsPlan | SubqueryPlan, grid);
  }

  #buildWindowCall(node: CallPlan, ranged: WindowsPlan | SubqueryPlan, grid: Grid): Operator {
    const whole = this.windowCall(node, ranged, grid);
    const call =
      ranged.kind === 'subquery' ? stretchedSubquery(this.context, node, ranged, whole, newBuilder) : whole;
    if (node.name === 'absent_over_time') return absentRow(this.context, call, absentLabels(ranged));
    if (node.name === 'last_over_time' || node.name === 'first_over_time') return call;
    return this.dropNames(call, ranged, true);
  }

  /** A range function, its rows with their names. */
  windowCall(node: CallPlan, ranged: WindowsPlan | SubqueryPlan, grid: Grid): Operator {
    const source = this.windows(ranged, grid);
    const others = node.args.filter((arg) => arg !== ranged);
    const scalars = others.map((arg) => this.build(arg, grid));
    return new WindowCall(this.context, grid, source, {
      name: node.name === 'absent_over_time' ? 'present_over_time' : node.name,
      compute: windowFunction(node.name, source.mode),
      args: () => Promise.all(scalars.map(collectScalar)),
      spans: {
        call: node.span,
        args: others.map((arg) => arg.span),
        vector: placeOf(ranged),
        first: placeOf(node.args[0]),
        metricName: oneNameOf(ranged),
      },
    });
  }

  windows(node: WindowsPlan | SubqueryPlan, grid: Grid): WindowSource {
    const source = this.#windows(node, grid);
    const counts = this.context.stepCounts?.of(grid);
    return counts === undefined ? source : new CountedWindows(this.context, source, grid, counts);
  }

  #windows(node: WindowsPlan | SubqueryPlan, grid: Grid): WindowSource {
    if (node.kind === 'windows') return new SelectorWindows(this.context, node, this.#part);
    const outer = node.at === undefined ? grid : instantGrid(node.at);
    const inner = subqueryGrid(outer, node.range, node.step, node.offset);
    // One row alone has this many cells: too many must fail before anything of that size is made.
    this.context.requireRoom(inner.count);
    return new SubqueryWindows(this.context, node, this.build(node.child, inner));
  }
}

function newBuilder(context: QueryContext): OperatorBuilder {
  return new OperatorBuilder(context);
}

/** Prometheus puts remarks about a subquery at the beginning of the query. */
function placeOf(arg: PlanNode): Span {
  return arg.kind === 'subquery' ? { start: 0, end: 0 } : arg.span;
}
