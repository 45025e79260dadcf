import { formatDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import type { FloatHistogram } from '../model/histogram.ts';
import { histogramText } from '../model/histogram-text.ts';
import { compareLabels, Labels } from '../model/labels.ts';
import type { Disk } from '../platform/disk.ts';
import { Engine } from '../promql/engine.ts';
import { ALL_FEATURES } from '../promql/parser/options.ts';
import { parseMetric } from '../promql/parser/parse-metric.ts';
import { parseHistogramLiteral } from '../promql/promqltest/histogram-literal.ts';
import { parseSeriesDescription } from '../promql/promqltest/series-description.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { AlertingRule } from './alerting-rule.ts';
import { findFiles } from './find-files.ts';
import { type GroupDefinition, readRuleFile } from './rule-file.ts';
import { RuleGroup } from './rule-group.ts';
import { engineQuery, type RuleQuery } from './rule-query.ts';
import { type AlertTest, type ExprTest, parseTestFile, type TestFile, type TestGroup } from './test-file.ts';

/** What promtool prints of one file: every failure as it prints it, none when the tests passed. */
export interface FileResult {
  readonly file: string;
  readonly failures: readonly string[];
  /** Names of rule files that match nothing. */
  readonly warnings: readonly string[];
}

const PARSE = { features: ALL_FEATURES };
/** Most evaluations of one test: an eval_time far away would run for days. */
const EVALUATIONS_MAX = 1_000_000;

/** Runs the tests of one file in promtool's format. Never rejects for what is wrong in a file: that is a failure. */
export async function runTestFile(disk: Disk, file: string): Promise<FileResult> {
  const warnings: string[] = [];
  try {
    const test = parseTestFile(file, new TextDecoder().decode(await readFile(disk, file)));
    const order = orderOf(test.groupEvalOrder);
    const files: string[] = [];
    for (const pattern of test.ruleFiles) {
      const found = await findFiles(disk, pattern.startsWith('/') ? pattern : dirname(file) + pattern);
      if (found.length === 0) warnings.push(`no file match pattern ${dirname(file)}${pattern}`);
      files.push(...found);
    }
    const failures: string[] = [];
    for (const group of test.tests) failures.push(...(await runGroup(disk, files, test, group, order)));
    return { file, failures, warnings };
  } catch (error) {
    if (!(error instanceof VeronaError)) throw error;
    return { file, failures: [error.message], warnings };
  }
}

/** Rule files that do not load fail every group. */
async function runGroup(
  disk: Disk,
  files: readonly string[],
  test: TestFile,
  group: TestGroup,
  order: ReadonlyMap<string, number>,
): Promise<string[]> {
  try {
    const { groups, problems } = await loadGroups(disk, files);
    if (problems.length > 0) return problems;
    return await new TestRun(test, group, groups, order).run();
  } catch (error) {
    if (!(error instanceof VeronaError)) throw error;
    return [error.message];
  }
}

async function readFile(disk: Disk, file: string): Promise<Uint8Array> {
  try {
    return await disk.readFile(file);
  } catch (cause) {
    throw new VeronaError('bad_data', `open ${file}: no such file or directory`, { cause });
  }
}

function orderOf(names: readonly string[]): ReadonlyMap<string, number> {
  const repeated = names.find((name, i) => names.indexOf(name) < i);
  if (repeated !== undefined)
    throw new VeronaError('bad_data', `group name repeated in evaluation order: ${repeated}`);
  return new Map(names.map((name, i) => [name, i]));
}

async function loadGroups(disk: Disk, files: readonly string[]) {
  const all = { groups: [] as GroupDefinition[], problems: [] as string[] };
  for (const file of files) {
    const text = new TextDecoder().decode(await readFile(disk, file));
    const { groups, problems } = readRuleFile(file, text, PARSE);
    all.groups.push(...groups);
    // Prometheus stops at the first file that is wrong.
    if (problems.length > 0) return { groups: [], problems: [...problems] };
  }
  return all;
}

function dirname(path: string): string {
  const at = path.lastIndexOf('/');
  return at === -1 ? '' : path.slice(0, at + 1);
}

interface InputSample {
  readonly labels: Labels;
  readonly t: number;
  readonly value: number | FloatHistogram;
}

/** One group of tests with storage and rules of its own. Samples come in as their time comes. */
class TestRun {
  readonly #file: TestFile;
  readonly #group: TestGroup;
  readonly #storage = new MemoryStorage();
  readonly #rules: readonly RuleGroup[];
  readonly #query: RuleQuery;
  #input: InputSample[] = [];
  #loaded = 0;

  constructor(
    file: TestFile,
    group: TestGroup,
    definitions: readonly GroupDefinition[],
    order: ReadonlyMap<string, number>,
  ) {
    this.#file = file;
    this.#group = group;
    const engine = new Engine({
      features: { ...ALL_FEATURES, 'promql-delayed-name-removal': false },
      subqueryStepMs: file.evaluationIntervalMs,
    });
    this.#query = engineQuery(engine, this.#storage, new AbortController().signal);
    const rank = ({ name }: RuleGroup) => order.get(name) ?? 0;
    this.#rules = definitions
      .map((definition) => new RuleGroup(definition, group))
      .sort((a, b) => rank(a) - rank(b));
  }

  async run(): Promise<string[]> {
    const { alertTests, exprTests, name } = this.#group;
    const nameless = alertTests.find(({ alertname }) => alertname === '');
    if (nameless)
      return [
        `an item under alert_rule_test misses required attribute alertname at eval_time ${formatDuration(nameless.evalTimeMs)}${name === '' ? '' : ` (in TestGroup ${name})`}`,
      ];
    this.#input = this.#readInput();
    const failures: string[] = [];
    const isOver = await this.#evaluateRules(failures);
    if (!isOver) for (const test of exprTests) failures.push(...(await this.#checkExpr(test)));
    return failures;
  }

  #readInput(): InputSample[] {
    const { inputSeries, intervalMs, startMs } = this.#group;
    const samples = inputSeries.flatMap(({ series, values }) => {
      const description = parseSeriesDescription(`${series} ${values}`);
      return description.values.flatMap((value, i): InputSample[] => {
        if (value.kind === 'omitted') return [];
        const { labels } = description;
        const t = startMs + i * intervalMs;
        return [{ labels, t, value: value.kind === 'float' ? value.value : value.histogram }];
      });
    });
    return samples.sort((a, b) => a.t - b.t);
  }

  /** True when a rule failed, which ends the test. */
  async #evaluateRules(failures: string[]): Promise<boolean> {
    const { startMs, alertTests, exprTests } = this.#group;
    const { evaluationIntervalMs: step } = this.#file;
    const last = Math.max(0, ...[...alertTests, ...exprTests].map(({ evalTimeMs }) => evalTimeMs));
    if (last / step > EVALUATIONS_MAX)
      throw new VeronaError(
        'bad_data',
        `eval_time ${formatDuration(last)} needs more than ${EVALUATIONS_MAX} evaluations`,
      );
    const times = [...new Set(alertTests.map(({ evalTimeMs }) => evalTimeMs))].sort((a, b) => a - b);
    for (let elapsed = 0; elapsed <= last; elapsed += step) {
      const t = startMs + elapsed;
      await this.#load(t);
      const failed: string[] = [];
      for (const group of this.#rules)
        for (const { rule, message } of await group.evaluate(this.#query, () => this.#storage.appender(), t))
          failed.push(`    rule: ${rule.name}, time: ${goDuration(elapsed)}, err: ${message}`);
      failures.push(...failed);
      if (failed.length > 0) return true;
      for (const time of times)
        if (time >= elapsed && time < elapsed + step)
          for (const test of alertTests)
            if (test.evalTimeMs === time) failures.push(...this.#checkAlerts(test));
    }
    await this.#load(Number.POSITIVE_INFINITY);
    return false;
  }

  /** Samples up to and including `t`. */
  async #load(t: number): Promise<void> {
    const appender = this.#storage.appender();
    for (; this.#loaded < this.#input.length && this.#input[this.#loaded].t <= t; this.#loaded++) {
      const { labels, t: at, value } = this.#input[this.#loaded];
      if (typeof value === 'number') appender.append(labels, at, value);
      else appender.appendHistogram(labels, at, value);
    }
    await appender.commit();
  }

  #checkAlerts({ alertname, alerts, evalTimeMs }: AlertTest): string[] {
    const expected = alerts.map(({ labels, annotations }) => ({
      labels: Labels.from([...labels, ['alertname', alertname]]),
      annotations: Labels.from(annotations),
    }));
    const got = this.#rules
      .flatMap(({ rules }) => rules)
      .filter((rule) => rule instanceof AlertingRule)
      .filter(({ name }) => name === alertname)
      .flatMap(({ activeAlerts }) => activeAlerts.filter(({ state }) => state === 'firing'));
    const [exp, found] = [alertsText(expected), alertsText(got)];
    if (exp === found) return [];
    const { name } = this.#group;
    const test = name === '' ? '' : `    name: ${name},\n`;
    return [
      `${test}    alertname: ${alertname}, time: ${formatDuration(evalTimeMs)}, \n        exp:${exp}, \n        got:${found}`,
    ];
  }

  async #checkExpr({ expr, evalTimeMs, samples }: ExprTest): Promise<string[]> {
    const head = `    expr: ${quoted(expr)}, time: ${formatDuration(evalTimeMs)},`;
    try {
      const found = await this.#query(expr, this.#group.startMs + evalTimeMs);
      const expected = samples.map(({ labels, value, histogram }) => ({
        labels: labelsOf(labels),
        value,
        histogram: histogram === undefined ? undefined : parseHistogramLiteral(histogram).histogram,
      }));
      const exp = [...expected].sort((a, b) => compareLabels(a.labels, b.labels));
      const got = [...found].sort((a, b) => compareLabels(a.labels, b.labels));
      const isSame = exp.length === got.length && exp.every((one, i) => this.#equal(one, got[i]));
      if (isSame) return [];
      return [`${head}\n        exp: ${samplesText(exp)}\n        got: ${samplesText(got)}`];
    } catch (error) {
      if (!(error instanceof VeronaError)) throw error;
      return [`${head} err: ${error.message}`];
    }
  }

  #equal(a: Sample, b: Sample): boolean {
    if (compareLabels(a.labels, b.labels) !== 0) return false;
    if (a.histogram !== undefined || b.histogram !== undefined) return sampleText(a) === sampleText(b);
    if (Object.is(a.value, b.value) || a.value === b.value) return true;
    if (!this.#file.fuzzyCompare) return false;
    // One step of the mantissa either way, as with promtool.
    return Math.abs(a.value - b.value) <= Number.EPSILON * Math.max(Math.abs(a.value), Math.abs(b.value));
  }
}

interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly histogram: FloatHistogram | undefined;
}

function labelsOf(text: string): Labels {
  try {
    const { labels, end } = parseMetric(text);
    if (text.slice(end).trim() !== '')
      throw new VeronaError('bad_data', `unexpected ${quoted(text.slice(end))}`);
    return labels;
  } catch (error) {
    throw new VeronaError('bad_data', `labels ${quoted(text)}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function samplesText(samples: readonly Sample[]): string {
  return samples.length === 0 ? 'nil' : samples.map(sampleText).join(', ');
}

function sampleText({ labels, value, histogram }: Sample): string {
  return `${labels} ${histogram === undefined ? exponential(value) : JSON.stringify(histogramText(histogram))}`;
}

/** Go's %E with the fewest digits. */
function exponential(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const [mantissa, power] = (Object.is(value, -0) ? '-0e+0' : value.toExponential()).split('e');
  return `${mantissa}E${power[0]}${power.slice(1).padStart(2, '0')}`;
}

function alertsText(alerts: readonly { readonly labels: Labels; readonly annotations: Labels }[]): string {
  if (alerts.length === 0) return '[]';
  const sorted = [...alerts].sort(
    (a, b) => compareLabels(a.labels, b.labels) || compareLabels(a.annotations, b.annotations),
  );
  const texts = sorted.map(
    ({ labels, annotations }, i) =>
      `\n            ${i}:\n              Labels:${labels}\n              Annotations:${annotations}`,
  );
  return `[${texts.join(',')}\n            ]`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Whole seconds as Go prints a `time.Duration`. */
function goDuration(ms: number): string {
  const seconds = (ms % 60_000) / 1000;
  const minutes = Math.floor(ms / 60_000);
  if (minutes === 0) return `${seconds}s`;
  return minutes < 60 ? `${minutes}m${seconds}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}s`;
}
