import type { Matcher } from '../../model/matcher.ts';
import type { AggregateOperator, BinaryOperator, Span, ValueType, VectorMatching } from '../parser/ast.ts';

/** What to do, one node per operation; made from the parsed query and rewritten before it runs. Immutable. */
export type PlanNode =
  | NumberPlan
  | StringPlan
  | SelectPlan
  | WindowsPlan
  | SubqueryPlan
  | CallPlan
  | AggregatePlan
  | BinaryPlan
  | NegatePlan
  | StepInvariantPlan
  | SharedPlan
  | SplitPlan
  | RemotePlan
  | UnionPlan;

interface Node {
  /** The part of the query text this came from, for remarks and errors. */
  readonly span: Span;
}

export interface NumberPlan extends Node {
  readonly kind: 'number';
  readonly value: number;
}

export interface StringPlan extends Node {
  readonly kind: 'string';
  readonly value: string;
}

/** Which samples a selector reads, for one evaluation time `t`: around `(at ?? t) - offset`. Times in ms. */
export interface SelectorSource {
  readonly name: string;
  readonly matchers: readonly Matcher[];
  readonly offset: number;
  /** Where it is not `offset` that moves the bounds of what is read. */
  readonly readOffset?: number;
  readonly at: number | undefined;
  readonly mode: 'plain' | 'anchored' | 'smoothed';
  /** Bounds of all samples needed, inclusive; set by the rewrite `time-range`. */
  readonly mint: number;
  readonly maxt: number;
  /** What is closest around the selector: a hint to storage. */
  readonly func: string;
  /** Of a range selector, ms. */
  readonly rangeMs?: number;
  /** Only count and sum of histograms are wanted. Set by the rewrite `histogram-statistics`. */
  readonly statisticsOnly: boolean;
  /** Only the newest sample of each series is looked at. Set by the rewrite `time-range`. */
  readonly newestOnly: boolean;
  /** Start timestamps of samples are looked at. */
  readonly startTimes: boolean;
  /** Sources that are not asked, by name: their part is evaluated where it lies. Set by the rewrite `distribute`. */
  readonly without?: readonly string[];
}

/** The newest sample of each series at each step. */
export interface SelectPlan extends Node {
  readonly kind: 'select';
  readonly source: SelectorSource;
  /** Whether the value wanted is the sample's own time, or its start timestamp. */
  readonly value: 'value' | 'timestamp' | 'start_timestamp';
}

/** The samples of each series in `(t - range, t]` at each step; only below a `call`, or the whole of an instant query. */
export interface WindowsPlan extends Node {
  readonly kind: 'windows';
  readonly source: SelectorSource;
  readonly range: number;
}

export interface SubqueryPlan extends Node {
  readonly kind: 'subquery';
  readonly child: PlanNode;
  readonly range: number;
  readonly step: number;
  readonly offset: number;
  readonly at: number | undefined;
}

export interface CallPlan extends Node {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly PlanNode[];
  readonly returns: ValueType;
}

export interface AggregatePlan extends Node {
  readonly kind: 'aggregate';
  readonly op: AggregateOperator;
  readonly child: PlanNode;
  readonly param: PlanNode | undefined;
  readonly grouping: readonly string[];
  readonly without: boolean;
}

export interface BinaryPlan extends Node {
  readonly kind: 'binary';
  readonly op: BinaryOperator;
  readonly left: PlanNode;
  readonly right: PlanNode;
  readonly matching: VectorMatching | undefined;
  readonly returnBool: boolean;
}

export interface NegatePlan extends Node {
  readonly kind: 'negate';
  readonly child: PlanNode;
}

/** Evaluated once and repeated for every step. */
export interface StepInvariantPlan extends Node {
  readonly kind: 'step-invariant';
  readonly child: PlanNode;
}

/** One of several equal parts of a plan: all with the same id run once. */
export interface SharedPlan extends Node {
  readonly kind: 'shared';
  readonly id: number;
  readonly child: PlanNode;
}

/** Rows that come of one series each, so that several threads may make some of them each. Set by the rewrite `split-by-series`. */
export interface SplitPlan extends Node {
  readonly kind: 'split';
  readonly child: PlanNode;
}

/** An aggregation that other processes evaluate, each over the series it holds; `query` is the text of it. Set by `distribute`. */
export interface RemotePlan extends Node {
  readonly kind: 'remote';
  readonly query: string;
  readonly targets: readonly string[];
}

/** The rows of all parts. Set by the rewrite `distribute`. */
export interface UnionPlan extends Node {
  readonly kind: 'union';
  readonly parts: readonly PlanNode[];
}

export function planType(node: PlanNode): ValueType {
  switch (node.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'select':
    case 'aggregate':
    case 'remote':
    case 'union':
      return 'vector';
    case 'windows':
    case 'subquery':
      return 'matrix';
    case 'call':
      return node.returns;
    case 'negate':
    case 'step-invariant':
    case 'shared':
    case 'split':
      return planType(node.child);
    case 'binary':
      return planType(node.left) === 'scalar' && planType(node.right) === 'scalar' ? 'scalar' : 'vector';
  }
}

export function planChildren(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'select':
    case 'windows':
    case 'remote':
      return [];
    case 'union':
      return node.parts;
    case 'call':
      return node.args;
    case 'aggregate':
      return node.param === undefined ? [node.child] : [node.child, node.param];
    case 'binary':
      return [node.left, node.right];
    default:
      return [node.child];
  }
}

/** The node with each child replaced by what `change` makes of it; the same node when nothing changed. */
export function mapChildren(node: PlanNode, change: (child: PlanNode) => PlanNode): PlanNode {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'select':
    case 'windows':
    case 'remote':
      return node;
    case 'union': {
      const parts = node.parts.map(change);
      return parts.every((part, i) => part === node.parts[i]) ? node : { ...node, parts };
    }
    case 'call': {
      const args = node.args.map(change);
      return args.every((arg, i) => arg === node.args[i]) ? node : { ...node, args };
    }
    case 'aggregate': {
      const child = change(node.child);
      const param = node.param && change(node.param);
      return child === node.child && param === node.param ? node : { ...node, child, param };
    }
    case 'binary': {
      const left = change(node.left);
      const right = change(node.right);
      return left === node.left && right === node.right ? node : { ...node, left, right };
    }
    default: {
      const child = change(node.child);
      return child === node.child ? node : { ...node, child };
    }
  }
}
