import { VeronaError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import { STALE_NAN } from '../model/sample.ts';
import type { Appender, AppendOutcome } from '../storage/appender.ts';
import { AlertingRule, type AlertSurroundings } from './alerting-rule.ts';
import { RecordingRule } from './recording-rule.ts';
import type { GroupDefinition } from './rule-file.ts';
import type { RuleQuery, RuleSample } from './rule-query.ts';

export type Rule = RecordingRule | AlertingRule;

/** A rule that could not be evaluated, or whose result could not be stored. */
export interface RuleFailure {
  readonly rule: Rule;
  readonly message: string;
}

/** Rules that are evaluated one after the other at the same time, each seeing what the ones before stored. */
export class RuleGroup {
  readonly definition: GroupDefinition;
  readonly rules: readonly Rule[];
  /** What each rule gave the last time, by key: a series that is gone ends with a staleness marker. */
  readonly #given: Map<string, Labels>[];

  constructor(definition: GroupDefinition, surroundings: AlertSurroundings) {
    this.definition = definition;
    this.rules = definition.rules.map((rule) =>
      rule.kind === 'recording' ? new RecordingRule(rule) : new AlertingRule(rule, surroundings),
    );
    this.#given = this.rules.map(() => new Map());
  }

  get name(): string {
    return this.definition.name;
  }

  /** Evaluates every rule for `timeMs` and stores what it gives. Failures of rules are given back; the others go on. */
  async evaluate(query: RuleQuery, appender: () => Appender, timeMs: number): Promise<RuleFailure[]> {
    const failures: RuleFailure[] = [];
    const { limit, queryOffsetMs } = this.definition;
    const shifted: RuleQuery = (text, t) => query(text, t - queryOffsetMs);
    for (const [i, rule] of this.rules.entries())
      try {
        const samples = await rule.evaluate(shifted, timeMs, limit);
        const problem = await this.#store(i, samples, appender(), timeMs - queryOffsetMs);
        if (problem !== undefined) failures.push({ rule, message: problem });
      } catch (error) {
        if (!(error instanceof VeronaError)) throw error;
        failures.push({ rule, message: error.message });
      }
    return failures;
  }

  /** What went wrong with the first sample that was refused. */
  async #store(
    i: number,
    samples: readonly RuleSample[],
    appender: Appender,
    t: number,
  ): Promise<string | undefined> {
    const given = new Map<string, Labels>();
    let problem: string | undefined;
    for (const { labels, value, histogram } of samples) {
      const outcome =
        histogram === undefined
          ? appender.append(labels, t, value)
          : appender.appendHistogram(labels, t, histogram);
      if (outcome === 'ok' || outcome === 'duplicate') given.set(labels.key(), labels);
      else problem ??= `${labels}: ${wordsOf(outcome)}`;
    }
    for (const [key, labels] of this.#given[i]) if (!given.has(key)) appender.append(labels, t, STALE_NAN);
    await appender.commit();
    this.#given[i] = given;
    return problem;
  }
}

function wordsOf(outcome: AppendOutcome): string {
  return outcome === 'duplicate_value' ? 'duplicate sample for timestamp' : outcome.replaceAll('_', ' ');
}
