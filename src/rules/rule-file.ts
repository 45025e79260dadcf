import { readYamlTree } from '../config/yaml-tree.ts';
import { VeronaError } from '../model/errors.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { ParseOptions } from '../promql/parser/options.ts';
import { parseExpr } from '../promql/parser/parse.ts';
import { compileAlertTemplate } from './alert-template.ts';
import {
  durationField,
  integerField,
  type Located,
  listOf,
  locatedField,
  mapOf,
  type Read,
  TreeReader,
  textField,
  textMapField,
} from './read-tree.ts';

/** A rule as it is written. Times in ms. */
export interface RuleDefinition {
  readonly kind: 'recording' | 'alerting';
  /** The metric it records, or the name of the alert. */
  readonly name: string;
  readonly expr: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  /** How long the expression must hold before the alert fires, and how long it fires on after it does not. */
  readonly forMs: number;
  readonly keepFiringForMs: number;
}

export interface GroupDefinition {
  readonly name: string;
  /** Undefined: whoever evaluates decides. */
  readonly intervalMs: number | undefined;
  readonly queryOffsetMs: number;
  /** Most series of one rule; 0: no limit. */
  readonly limit: number;
  readonly rules: readonly RuleDefinition[];
}

const RULE = {
  record: locatedField,
  alert: locatedField,
  expr: locatedField,
  for: durationField,
  keep_firing_for: durationField,
  labels: textMapField,
  annotations: textMapField,
};
const GROUP = {
  name: textField,
  interval: durationField,
  query_offset: durationField,
  limit: integerField,
  labels: textMapField,
  rules: listOf(mapOf('rulefmt.RuleNode', RULE)),
};
const FILE = { groups: listOf(mapOf('rulefmt.RuleGroup', GROUP)) };

type RuleNode = Read<typeof RULE>;

const RULES_MAX = 100_000;

/** The groups of a rule file, in order. Throws `bad_data` with every problem on a line of its own. */
export function parseRuleFile(file: string, text: string, parse: ParseOptions = {}): GroupDefinition[] {
  const { groups, problems } = readRuleFile(file, text, parse);
  if (problems.length > 0) throw new VeronaError('bad_data', problems.join('\n'));
  return groups;
}

/** The same with the problems, as Prometheus words them and the file in front; there are no groups when there are any. */
export function readRuleFile(
  file: string,
  text: string,
  parse: ParseOptions = {},
): { readonly groups: GroupDefinition[]; readonly problems: readonly string[] } {
  const tree = attempt(() => readYamlTree({ file, text }));
  if (tree.problem !== undefined) return { groups: [], problems: [`${file}: ${tree.problem}`] };
  if (tree.value === undefined) return { groups: [], problems: [] };
  const reader = new TreeReader();
  const { groups = [] } = reader.map(tree.value, 'rulefmt.RuleGroups', FILE);
  if (reader.problems.length > 0)
    return { groups: [], problems: [`${file}: yaml: unmarshal errors:\n${reader.problems.join('\n')}`] };
  const problems: string[] = [];
  const names = new Set<string>();
  for (const group of groups) {
    const { name = '', rules = [], line, column } = group;
    if (name === '') problems.push(`${line}:${column}: Groupname must not be empty`);
    if (names.has(name))
      problems.push(`${line}:${column}: groupname: "${name}" is repeated in the same file`);
    names.add(name);
    for (const [i, rule] of rules.entries()) {
      const title = rule.alert?.text || rule.record?.text || '';
      for (const { at, message } of problemsOf(rule, parse))
        problems.push(`${at}group "${name}", rule ${i + 1}, "${title}": ${message}`);
    }
    if (rules.length > RULES_MAX) problems.push(`group "${name}" has more than ${RULES_MAX} rules`);
  }
  if (problems.length > 0) return { groups: [], problems: problems.map((problem) => `${file}: ${problem}`) };
  const definitions = groups.map((group) => ({
    name: group.name ?? '',
    intervalMs: group.interval,
    queryOffsetMs: group.query_offset ?? 0,
    limit: group.limit ?? 0,
    rules: (group.rules ?? []).map((rule) => definitionOf(rule, group.labels ?? new Map())),
  }));
  return { groups: definitions, problems };
}

function definitionOf(rule: RuleNode, groupLabels: ReadonlyMap<string, string>): RuleDefinition {
  return {
    kind: rule.record === undefined ? 'alerting' : 'recording',
    name: rule.record?.text ?? rule.alert?.text ?? '',
    expr: rule.expr?.text ?? '',
    labels: new Map([...groupLabels, ...(rule.labels ?? [])]),
    annotations: rule.annotations ?? new Map(),
    forMs: rule.for ?? 0,
    keepFiringForMs: rule.keep_firing_for ?? 0,
  };
}

interface RuleProblem {
  /** `line:column: ` of what it is about, or nothing. */
  readonly at: string;
  readonly message: string;
}

/** As Prometheus says them; what is not there stands at 0:0. */
function problemsOf(rule: RuleNode, parse: ParseOptions): RuleProblem[] {
  const problems: RuleProblem[] = [];
  const add = (message: string, ...nodes: readonly (Located | undefined)[]) =>
    problems.push({ at: nodes.map((node) => `${node?.at ?? '0:0'}: `).join(''), message });
  const { record, alert, expr } = rule;
  if (record?.text && alert?.text) add("only one of 'record' and 'alert' must be set", record, alert);
  if (!record?.text && !alert?.text) add("one of 'record' or 'alert' must be set", record);
  if (!expr?.text) add("field 'expr' must be set in rule", expr);
  else {
    const { problem } = attempt(() => parseExpr(expr.text, parse));
    if (problem !== undefined) add(`could not parse expression: ${problem}`, expr);
  }
  if (record?.text) {
    if (rule.annotations?.size) add("invalid field 'annotations' in recording rule", record);
    if (rule.for) add("invalid field 'for' in recording rule", record);
    if (rule.keep_firing_for) add("invalid field 'keep_firing_for' in recording rule", record);
    if (/[{}]/.test(record.text)) add(`invalid recording rule name: ${record.text}`, record);
  }
  for (const name of rule.labels?.keys() ?? [])
    if (name === METRIC_NAME || name === '') add(`invalid label name: ${name}`);
  for (const name of rule.annotations?.keys() ?? []) if (name === '') add(`invalid annotation name: ${name}`);
  if (alert?.text) for (const message of templateProblems(alert.text, rule)) add(message);
  return problems;
}

function templateProblems(alert: string, { labels, annotations }: RuleNode): string[] {
  const check = (what: string, texts: ReadonlyMap<string, string> = new Map()) =>
    [...texts].flatMap(([name, template]) => {
      const { problem } = attempt(() => compileAlertTemplate(alert, template));
      return problem === undefined ? [] : [`${what} "${name}": ${problem}`];
    });
  return [...check('label', labels), ...check('annotation', annotations)];
}

function attempt<T>(run: () => T): { readonly value?: T; readonly problem?: string } {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof VeronaError) return { problem: error.message };
    throw error;
  }
}
