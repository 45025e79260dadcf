import { messageOf, wrapError } from '../../model/errors.ts';
import { ALL_FEATURES } from '../parser/options.ts';
import { parseExpr } from '../parser/parse.ts';
import { printExpr } from '../parser/print.ts';
import { pinToTime, variesWithTime } from './at-modifier.ts';
import { compareAnswer } from './compare.ts';
import type { Answer, Outcome, Subject } from './harness.ts';
import { type Command, type Evaluation, type Expectation, parseScript } from './script.ts';

export interface Failure {
  /** From 1. */
  readonly line: number;
  readonly query: string;
  readonly problem: string;
}

export interface ScriptResult {
  readonly passed: number;
  readonly failures: readonly Failure[];
}

/** Runs a script against subjects made for it, one per `clear`. Each evaluation passes or fails as one. */
export async function runScript(text: string, makeSubject: () => Subject): Promise<ScriptResult> {
  let subject = makeSubject();
  let passed = 0;
  const failures: Failure[] = [];
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') {
      await subject.close();
      subject = makeSubject();
    } else if (command.kind === 'load') await load(command, subject);
    else {
      const problem = await runEvaluation(command, subject);
      if (problem === undefined) passed++;
      else failures.push({ line: command.line, query: command.query, problem });
    }
  }
  await subject.close();
  return { passed, failures };
}

async function load({ line, series }: Extract<Command, { kind: 'load' }>, subject: Subject): Promise<void> {
  try {
    await subject.load(series);
  } catch (cause) {
    throw wrapError(`line ${line}`, cause, 'bad_data');
  }
}

async function runEvaluation(evaluation: Evaluation, subject: Subject): Promise<string | undefined> {
  const { query, start, end, step, mode } = evaluation;
  if (mode === 'range')
    return check(evaluation, query, await attempt(() => subject.range(query, start, end, step)));
  const time = evaluation.isRangeVector ? end : start;
  const variants = [{ query, time }, ...pinnedVariants(query, time)];
  for (const variant of variants) {
    const problem = await runInstant(evaluation, variant, subject);
    if (problem !== undefined)
      return variant === variants[0] ? problem : `as ${variant.query} at ${variant.time}: ${problem}`;
  }
  return undefined;
}

/** The same query with `@` on every selector, at other times: the answer must not change. */
function pinnedVariants(query: string, time: number): { query: string; time: number }[] {
  let pinned: string;
  try {
    const expr = parseExpr(query, { features: ALL_FEATURES });
    if (variesWithTime(expr)) return [];
    pinned = printExpr(pinToTime(expr, time));
  } catch {
    return []; // A query that does not parse fails in its plain form, and there the failure is judged.
  }
  const times = time === 0 ? [-1000, 0, 1000] : [-10 * time, 0, Math.trunc(time / 5), time, 10 * time];
  return times.map((other) => ({ query: pinned, time: other }));
}

/** Functions whose value depends on the range of the query, which differs in range mode. */
const RANGE_DEPENDENT = /(?:start|end|range|step)\(\)/;
const MINUTE = 60_000;

async function runInstant(
  evaluation: Evaluation,
  { query, time }: { query: string; time: number },
  subject: Subject,
): Promise<string | undefined> {
  const outcome = await attempt(() => subject.instant(query, time));
  const problem = check(evaluation, query, outcome);
  const isPlain = !evaluation.isRangeVector && evaluation.string === undefined;
  if (problem !== undefined || 'error' in outcome || !isPlain || RANGE_DEPENDENT.test(query)) return problem;
  const ranged = await attempt(() => subject.range(query, time - MINUTE, time + MINUTE, MINUTE));
  if ('error' in ranged) return `as a range query: ${ranged.error}`;
  if (has(evaluation, 'ordered')) return undefined;
  const found = compareAnswer(evaluation, stepAt(ranged.answer, time, outcome.answer.type));
  return found === undefined ? undefined : `as a range query: ${found}`;
}

/** One step of a matrix as the answer of an instant query. */
function stepAt(answer: Answer, time: number, type: Answer['type']): Answer {
  if (answer.type !== 'matrix') return answer;
  const samples = answer.series.flatMap(({ labels, floats, histograms }) => {
    const float = floats.find(({ t }) => t === time);
    const histogram = histograms.find(({ t }) => t === time)?.histogram;
    return float === undefined && histogram === undefined ? [] : [{ labels, v: float?.v ?? 0, histogram }];
  });
  if (type === 'scalar') return { type: 'scalar', v: samples[0]?.v ?? Number.NaN };
  return { type: 'vector', samples };
}

type Attempt = Outcome | { readonly error: string };

async function attempt(run: () => Promise<Outcome>): Promise<Attempt> {
  try {
    return await run();
  } catch (error) {
    return { error: messageOf(error) };
  }
}

function check(evaluation: Evaluation, query: string, outcome: Attempt): string | undefined {
  const failures = evaluation.expects.filter(({ what }) => what === 'fail');
  if ('error' in outcome) {
    if (failures.length === 0) return `failed: ${outcome.error}`;
    const wrong = failures.find(({ matches }) => !matches(outcome.error));
    return wrong === undefined ? undefined : `expected failure ${wrong.text}, got ${outcome.error}`;
  }
  if (failures.length > 0) return `expected a failure, got an answer to ${query}`;
  return (
    checkRemarks(evaluation, 'warn', outcome.warnings) ??
    checkRemarks(evaluation, 'info', outcome.infos) ??
    compareAnswer(evaluation, outcome.answer)
  );
}

function has({ expects }: Evaluation, what: Expectation['what']): boolean {
  return expects.some((expect) => expect.what === what);
}

function checkRemarks(
  evaluation: Evaluation,
  what: 'warn' | 'info',
  remarks: readonly string[],
): string | undefined {
  if (has(evaluation, `no_${what}`) && remarks.length > 0) return `unexpected ${what}: ${remarks.join('; ')}`;
  const wanted = evaluation.expects.filter((expect) => expect.what === what);
  if (wanted.length === 0) return undefined;
  const unmet = wanted.find(({ matches }) => !remarks.some(matches));
  if (unmet !== undefined) return `expected ${what} ${unmet.text}, got ${remarks.join('; ') || 'none'}`;
  const strict = wanted.filter(({ isLoose }) => !isLoose);
  const surplus = remarks.find((remark) => !strict.some(({ matches }) => matches(remark)));
  return strict.length === 0 || surplus === undefined ? undefined : `unexpected ${what}: ${surplus}`;
}
