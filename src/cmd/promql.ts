import type { Command } from 'commander';
import { Option } from 'commander';
import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { Engine } from '../promql/engine.ts';
import { exprToJson } from '../promql/parser/json.ts';
import { ALL_FEATURES } from '../promql/parser/options.ts';
import { parseExpr } from '../promql/parser/parse.ts';
import { prettyExpr } from '../promql/parser/pretty.ts';
import type { PlanTree } from '../promql/plan/plan-tree.ts';
import type { Features } from '../promql/query-options.ts';
import { parseDurationParam, parseTime } from '../query/params.ts';
import { runTestFile } from '../rules/run-tests.ts';
import { EXIT } from './exit.ts';
import { type ApiEnvelope, OUTPUTS, type Output, renderAnalysis, renderAnswer } from './promql-output.ts';
import { openSource, type PromqlSource, type SourceOptions } from './promql-source.ts';

interface AskOptions {
  readonly tenant: string;
  readonly header: readonly string[];
  readonly timeout: string;
  readonly enableFeature: readonly string[];
  readonly lookbackDelta: string;
  readonly limit: string;
  readonly output: Output;
  readonly analyze: boolean;
  /** Only the analysis is of interest. */
  readonly withoutAnswer?: boolean;
}

interface TimeOptions {
  readonly time?: string;
  readonly start?: string;
  readonly end?: string;
  readonly step?: string;
}

const SOURCES = `
A source is
  http://host:9009             a Verona, a Prometheus, or anything else with that API
  /var/lib/verona              Verona's data folder (--tenant says whose data)
  /var/lib/prometheus          a Prometheus' data directory
  ./bucket/team-a, ./01J…      a folder of blocks, or one block
Folders are only read, also while their owner runs: a torn write-ahead log is mended in memory.`;

/** `verona promql …`: ask, explain, format and check PromQL. */
export function addPromqlCommand(program: Command): void {
  const promql = program
    .command('promql')
    .description('ask a server or a folder of data; explain, format and parse queries, test rules')
    .addHelpText(
      'after',
      `
Examples:
  verona promql query http://localhost:9009 'sum by (job) (up)'
  verona promql range ./data 'rate(http_requests_total[5m])' --start 2026-01-01T00:00:00Z --end 2026-01-01T06:00:00Z --step 5m
  verona promql explain 'sum(rate(x[5m])) / sum(rate(x[5m]))'
  verona promql explain 'topk(3, x)' --source ./data          what each operator did, and what was read
  verona promql format 'sum(rate(x[5m]))by(job)'

Exit codes: 0 good, 1 the query failed, 2 the command line or the query is wrong.`,
    );
  addQuery(promql);
  addRange(promql);
  addExplain(promql);
  addTest(promql);
  promql
    .command('format')
    .description('the query with line breaks and indentation')
    .argument('<query>')
    .action((query: string) => {
      process.stdout.write(`${prettyExpr(parsed(query))}\n`);
    });
  promql
    .command('parse')
    .description("the query's tree as JSON, as the API's parse_query has it; exit code 2 when it is wrong")
    .argument('<query>')
    .action((query: string) => {
      process.stdout.write(`${JSON.stringify(exprToJson(parsed(query)), undefined, 2)}\n`);
    });
}

/** As promtool prints: what went well on standard output, failures on standard error. */
function addTest(promql: Command): void {
  promql
    .command('test')
    .description("run unit tests of rules, in promtool's format; exit code 1 when one fails")
    .argument('<files...>', 'test files')
    .addHelpText(
      'after',
      `
A test file names rule files, gives series as they would be scraped, and says what alerts and queries must give:

  rule_files: [alerts.yml]
  evaluation_interval: 1m
  tests:
    - interval: 1m
      input_series:
        - series: up{job="api", instance="a"}
          values: 1 1 0x5                      # 1 1 0 0 0 0 0 0; also 0+10x100, _ for a gap, stale
      alert_rule_test:
        - eval_time: 5m
          alertname: InstanceDown
          exp_alerts:
            - exp_labels: {severity: page, job: api, instance: a}
              exp_annotations: {summary: a is down}
      promql_expr_test:
        - expr: sum(up)
          eval_time: 1m
          exp_samples: [{labels: '{}', value: 1}]`,
    )
    .action(async (files: readonly string[]) => {
      for (const file of files) {
        process.stdout.write(`Unit Testing:  ${file}\n`);
        const { failures, warnings } = await runTestFile(new NodeDisk(), file);
        for (const warning of warnings) process.stderr.write(`  WARNING: ${warning}\n`);
        if (failures.length === 0) process.stdout.write('  SUCCESS\n');
        else {
          process.stderr.write('  FAILED:\n');
          for (const failure of failures) {
            process.stderr.write(`${failure}\n`);
            process.stdout.write('\n');
          }
          process.exitCode = EXIT.failed;
        }
        process.stdout.write('\n');
      }
    });
}

function parsed(query: string) {
  return parseExpr(query, { features: ALL_FEATURES });
}

function addQuery(promql: Command): void {
  const query = promql
    .command('query')
    .description('evaluate at one time')
    .argument('<source>', 'URL or folder')
    .argument('<query>', 'PromQL')
    .option('--time <time>', 'RFC 3339 or Unix seconds; by default now, or the newest sample of a folder');
  addAskOptions(query).action((source: string, text: string, options: AskOptions & TimeOptions) =>
    ask(source, options, (opened) => ({
      kind: 'instant',
      timeMs: options.time === undefined ? latest(opened) : timeOf('--time', options.time),
      ...common(text, options),
    })),
  );
}

function addRange(promql: Command): void {
  const range = promql
    .command('range')
    .description('evaluate at many times')
    .argument('<source>', 'URL or folder');
  addTimes(range.argument('<query>', 'PromQL'));
  addAskOptions(range).action((source: string, text: string, options: AskOptions & TimeOptions) =>
    ask(source, options, (opened) => ({
      kind: 'range',
      ...rangeOf(options, latest(opened)),
      ...common(text, options),
    })),
  );
}

function addTimes(command: Command): Command {
  return command
    .option('--start <time>', 'RFC 3339 or Unix seconds; by default an hour before the end')
    .option('--end <time>', 'by default now, or the newest sample of a folder')
    .option('--step <duration>', 'time between two values; by default a 250th of the range');
}

function addAskOptions(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <form>', 'form of the answer').choices(OUTPUTS).default('table'))
    .option('--tenant <name>', 'whose data: sent as X-Scope-OrgID, or the folder below tsdb/', '')
    .option('--header <name: value>', 'a header for the server; may be repeated', append, [])
    .option('--timeout <duration>', 'give up after', '2m')
    .option(
      '--lookback-delta <duration>',
      'how far back a selector looks; by default 5m, or the server’s',
      '0s',
    )
    .option('--limit <n>', 'most series shown; 0 for all', '0')
    .option('--enable-feature <name>', 'an experimental feature, for folders; may be repeated', append, [])
    .option('--analyze', 'tell what every operator did and which source gave what', false)
    .addHelpText('after', SOURCES);
}

function append(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function addExplain(promql: Command): void {
  const explain = promql
    .command('explain')
    .description(
      'the plan of a query, as written and as it runs; with --source run it and tell what each part did',
    )
    .argument('<query>', 'PromQL')
    .option('--source <source>', 'URL or folder to run it on')
    .option('--time <time>', 'plan an instant query at this time');
  addAskOptions(addTimes(explain)).action(
    async (text: string, options: AskOptions & TimeOptions & { source?: string }) => {
      if (options.source === undefined) return explainPlan(text, options);
      const analyzed = { ...options, analyze: true, withoutAnswer: true };
      await ask(options.source, analyzed, (opened) =>
        options.time === undefined
          ? { kind: 'range', ...rangeOf(options, latest(opened)), ...common(text, analyzed) }
          : { kind: 'instant', timeMs: timeOf('--time', options.time), ...common(text, analyzed) },
      );
    },
  );
}

function explainPlan(text: string, options: AskOptions & TimeOptions): void {
  const lookbackDeltaMs = durationOf('--lookback-delta', options.lookbackDelta);
  const times =
    options.time === undefined ? rangeOf(options, Date.now()) : { timeMs: timeOf('--time', options.time) };
  const { before, after } = new Engine({ features: ALL_FEATURES }).plans(text, { ...times, lookbackDeltaMs });
  process.stdout.write(`as written\n${treeText(before, 1)}\nas it runs\n${treeText(after, 1)}`);
}

function treeText({ name, children }: PlanTree, depth: number): string {
  return `${'  '.repeat(depth)}${name}\n${children.map((child) => treeText(child, depth + 1)).join('')}`;
}

async function ask(
  source: string,
  options: AskOptions,
  question: (opened: PromqlSource) => Parameters<PromqlSource['ask']>[0],
): Promise<void> {
  const opened = await openSource(source, sourceOptions(options));
  try {
    show(await opened.ask(question(opened)), options);
  } finally {
    await opened.close();
  }
}

function show(envelope: ApiEnvelope, { output, analyze, withoutAnswer }: AskOptions): void {
  if (envelope.status === 'error' && output !== 'json') {
    process.stderr.write(`verona: ${envelope.error}\n`);
  } else if (!withoutAnswer || output === 'json') process.stdout.write(renderAnswer(envelope, output));
  if (envelope.status === 'error')
    process.exitCode = envelope.errorType === 'bad_data' ? EXIT.usage : EXIT.failed;
  for (const text of [...(envelope.warnings ?? []), ...(envelope.infos ?? [])])
    process.stderr.write(`${text}\n`);
  const analysis = envelope.data?.analysis;
  if (!analyze || output === 'json' || envelope.status === 'error') return;
  if (analysis) process.stdout.write(`${withoutAnswer ? '' : '\n'}${renderAnalysis(analysis)}`);
  else process.stderr.write('the server tells nothing of its operators\n');
}

function common(query: string, options: AskOptions) {
  return {
    query,
    lookbackDeltaMs: durationOf('--lookback-delta', options.lookbackDelta),
    limit: Number(options.limit) || 0,
    stats: 'none' as const,
    analyze: options.analyze,
  };
}

function sourceOptions(options: AskOptions): SourceOptions {
  const features: Features = Object.fromEntries(options.enableFeature.map((name) => [name, true]));
  return {
    tenant: options.tenant,
    headers: options.header,
    timeoutMs: durationOf('--timeout', options.timeout),
    features,
    lookbackDeltaMs: durationOf('--lookback-delta', options.lookbackDelta) || parseDuration('5m')!,
  };
}

const HOUR_MS = 3_600_000;
const STEPS_DEFAULT = 250;

function rangeOf({ start, end, step }: TimeOptions, latestMs: number) {
  const endMs = end === undefined ? latestMs : timeOf('--end', end);
  const startMs = start === undefined ? endMs - HOUR_MS : timeOf('--start', start);
  const fallback = Math.max(1000, Math.ceil((endMs - startMs) / STEPS_DEFAULT / 1000) * 1000);
  return { startMs, endMs, stepMs: step === undefined ? fallback : durationOf('--step', step) };
}

function latest({ newestMs }: PromqlSource): number {
  return newestMs ?? Date.now();
}

function timeOf(flag: string, text: string): number {
  const ms = parseTime(text);
  if (ms === undefined)
    throw new VeronaError('bad_data', `${flag} ${JSON.stringify(text)} is neither RFC 3339 nor Unix seconds`);
  return ms;
}

function durationOf(flag: string, text: string): number {
  const ms = parseDurationParam(text);
  if (ms === undefined || ms < 0)
    throw new VeronaError('bad_data', `${flag} ${JSON.stringify(text)} is no duration such as 30s or 5m`);
  return ms;
}
