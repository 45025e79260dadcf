import { readYamlTree, type YamlTree } from '../config/yaml-tree.ts';
import { VeronaError } from '../model/errors.ts';
import {
  booleanField,
  durationField,
  floatField,
  listOf,
  mapOf,
  type Read,
  TreeReader,
  textField,
  textMapField,
  textsField,
} from './read-tree.ts';

/** A unit-test file for rules in promtool's format. Times in ms. */
export interface TestFile {
  /** As written: paths and patterns. */
  readonly ruleFiles: readonly string[];
  readonly evaluationIntervalMs: number;
  readonly groupEvalOrder: readonly string[];
  /** Whether floats that differ in the last bits are equal. */
  readonly fuzzyCompare: boolean;
  readonly tests: readonly TestGroup[];
}

export interface TestGroup {
  readonly name: string;
  readonly intervalMs: number;
  /** When the first sample is. */
  readonly startMs: number;
  readonly inputSeries: readonly { readonly series: string; readonly values: string }[];
  readonly alertTests: readonly AlertTest[];
  readonly exprTests: readonly ExprTest[];
  readonly externalLabels: ReadonlyMap<string, string>;
  readonly externalUrl: string;
}

export interface AlertTest {
  /** After the start. */
  readonly evalTimeMs: number;
  readonly alertname: string;
  readonly alerts: readonly {
    readonly labels: ReadonlyMap<string, string>;
    readonly annotations: ReadonlyMap<string, string>;
  }[];
}

export interface ExprTest {
  readonly expr: string;
  readonly evalTimeMs: number;
  readonly samples: readonly {
    readonly labels: string;
    readonly value: number;
    readonly histogram: string | undefined;
  }[];
}

const ALERT = { exp_labels: textMapField, exp_annotations: textMapField };
const ALERT_TEST = {
  eval_time: durationField,
  alertname: textField,
  exp_alerts: listOf(mapOf('main.alert', ALERT)),
};
const SAMPLE = { labels: textField, value: floatField, histogram: textField };
const EXPR_TEST = {
  expr: textField,
  eval_time: durationField,
  exp_samples: listOf(mapOf('main.sample', SAMPLE)),
};
const GROUP = {
  name: textField,
  interval: durationField,
  start_timestamp: startField,
  input_series: listOf(mapOf('main.series', { series: textField, values: textField })),
  alert_rule_test: listOf(mapOf('main.alertTestCase', ALERT_TEST)),
  promql_expr_test: listOf(mapOf('main.promqlTestCase', EXPR_TEST)),
  external_labels: textMapField,
  external_url: textField,
};
const FILE = {
  rule_files: textsField,
  evaluation_interval: durationField,
  group_eval_order: textsField,
  fuzzy_compare: booleanField,
  tests: listOf(mapOf('main.testGroup', GROUP)),
};
const MINUTE_MS = 60_000;

/** Throws `bad_data` in the words of promtool. */
export function parseTestFile(file: string, text: string): TestFile {
  const tree = readYamlTree({ file, text }) ?? { kind: 'map', line: 1, column: 1, entries: [] };
  const reader = new TreeReader();
  const read = reader.map(tree, 'main.unitTestFile', FILE);
  const [problem] = reader.problems;
  if (problem !== undefined && !problem.startsWith('  line')) throw new VeronaError('bad_data', problem);
  if (problem !== undefined)
    throw new VeronaError('bad_data', `yaml: unmarshal errors:\n${reader.problems.join('\n')}`);
  const evaluationIntervalMs = read.evaluation_interval || MINUTE_MS;
  return {
    ruleFiles: read.rule_files ?? [],
    evaluationIntervalMs,
    groupEvalOrder: read.group_eval_order ?? [],
    fuzzyCompare: read.fuzzy_compare ?? false,
    tests: (read.tests ?? []).map((group) => groupOf(group, evaluationIntervalMs)),
  };
}

/** RFC 3339 or Unix seconds. */
function startField(tree: YamlTree, reader: TreeReader): number | undefined {
  const text = textField(tree, reader);
  if (text === undefined) return undefined;
  const ms = /^-?\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  reader.problems.push(`time: invalid start_timestamp ${JSON.stringify(text)}, use RFC 3339 or Unix seconds`);
  return undefined;
}

function groupOf(group: Read<typeof GROUP>, evaluationIntervalMs: number): TestGroup {
  return {
    name: group.name ?? '',
    intervalMs: group.interval || evaluationIntervalMs,
    startMs: group.start_timestamp ?? 0,
    inputSeries: (group.input_series ?? []).map(({ series = '', values = '' }) => ({ series, values })),
    alertTests: (group.alert_rule_test ?? []).map((test) => ({
      evalTimeMs: test.eval_time ?? 0,
      alertname: test.alertname ?? '',
      alerts: (test.exp_alerts ?? []).map((alert) => ({
        labels: alert.exp_labels ?? new Map(),
        annotations: alert.exp_annotations ?? new Map(),
      })),
    })),
    exprTests: (group.promql_expr_test ?? []).map((test) => ({
      expr: test.expr ?? '',
      evalTimeMs: test.eval_time ?? 0,
      samples: (test.exp_samples ?? []).map(({ labels = '', value = 0, histogram }) => ({
        labels,
        value,
        histogram,
      })),
    })),
    externalLabels: group.external_labels ?? new Map(),
    externalUrl: group.external_url ?? '',
  };
}
