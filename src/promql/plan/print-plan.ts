import { type LookedAtLabels, lookedAtLabels } from './looked-at-labels.ts';
import { type PlanNode, planChildren, type SelectorSource } from './node.ts';

/** A plan as text, one node per line, children indented below. */
export function printPlan(node: PlanNode, labels: LookedAtLabels = lookedAtLabels(node)): string {
  const lines: string[] = [];
  const visit = (part: PlanNode, depth: number) => {
    lines.push(`${'  '.repeat(depth)}${describeNode(part, labels)}`);
    for (const child of planChildren(part)) visit(child, depth + 1);
  };
  visit(node, 0);
  return lines.join('\n');
}

/** A node without its children, on one line; for a selector also which labels of its series are looked at, if not all. */
export function describeNode(node: PlanNode, labels?: LookedAtLabels): string {
  const names = labels?.get(node);
  return names === undefined ? describe(node) : `${describe(node)} labels (${names.join(', ')})`;
}

function describe(node: PlanNode): string {
  switch (node.kind) {
    case 'number':
      return `number ${node.value}`;
    case 'string':
      return `string ${JSON.stringify(node.value)}`;
    case 'select':
      return `select${node.value === 'value' ? '' : ` ${node.value} of`} ${describeSource(node.source)}`;
    case 'windows':
      return `windows of ${node.range}ms of ${describeSource(node.source)}`;
    case 'subquery':
      return `subquery range ${node.range}ms step ${node.step}ms${describeShift(node)}`;
    case 'call':
      return `call ${node.name}`;
    case 'aggregate':
      return `aggregate ${node.op} ${node.without ? 'without' : 'by'} (${node.grouping.join(', ')})`;
    case 'binary':
      return `binary ${node.op}${node.returnBool ? ' bool' : ''}${describeMatching(node.matching)}`;
    case 'negate':
      return 'negate';
    case 'step-invariant':
      return 'once';
    case 'shared':
      return `shared #${node.id}`;
    case 'split':
      return 'split by series';
    case 'remote':
      return `remote ${node.query} at ${node.targets.join(', ')}`;
    case 'union':
      return 'union';
  }
}

function describeSource(source: SelectorSource): string {
  const { matchers, mint, maxt, mode, statisticsOnly, newestOnly, without } = source;
  const text = `{${matchers.join(', ')}}${describeShift(source)}${mode === 'plain' ? '' : ` ${mode}`}`;
  const wanted = `${statisticsOnly ? ' statistics only' : ''}${newestOnly ? ' newest only' : ''}`;
  return `${text} [${mint}, ${maxt}]${wanted}${without ? ` without ${without.join(', ')}` : ''}`;
}

function describeShift({ offset, at }: { offset: number; at: number | undefined }): string {
  return `${offset === 0 ? '' : ` offset ${offset}ms`}${at === undefined ? '' : ` at ${at}`}`;
}

function describeMatching(matching: Extract<PlanNode, { kind: 'binary' }>['matching']): string {
  if (matching === undefined) return '';
  const { on, labels, cardinality, include } = matching;
  const names = on || labels.length > 0 ? ` ${on ? 'on' : 'ignoring'} (${labels.join(', ')})` : '';
  return `${names} ${cardinality}${include.length > 0 ? ` include (${include.join(', ')})` : ''}${describeFill(matching)}`;
}

function describeFill({
  fillLeft,
  fillRight,
}: {
  fillLeft: number | undefined;
  fillRight: number | undefined;
}): string {
  return `${fillLeft === undefined ? '' : ` fill left ${fillLeft}`}${fillRight === undefined ? '' : ` fill right ${fillRight}`}`;
}
