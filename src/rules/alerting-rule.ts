import { VeronaError } from '../model/errors.ts';
import { compareStrings, Labels, METRIC_NAME } from '../model/labels.ts';
import { compileAlertTemplate, templateName } from './alert-template.ts';
import { labelsWith } from './recording-rule.ts';
import type { RuleDefinition } from './rule-file.ts';
import type { RuleQuery, RuleSample } from './rule-query.ts';
import { expandTemplate } from './template/expand.ts';
import type { TemplateWorld } from './template/functions.ts';
import type { ParsedTemplate } from './template/node.ts';
import type { TemplateSample, Value } from './template/value.ts';

export type AlertState = 'inactive' | 'pending' | 'firing';

/** One alert of a rule. Times in ms; undefined before they come. */
export interface Alert {
  readonly labels: Labels;
  annotations: Labels;
  state: AlertState;
  value: number;
  readonly activeAt: number;
  firedAt: number | undefined;
  resolvedAt: number | undefined;
  keepFiringSince: number | undefined;
}

/** What is the same for all alerts of a system. */
export interface AlertSurroundings {
  readonly externalLabels: ReadonlyMap<string, string>;
  readonly externalUrl: string;
}

/** A resolved alert is kept for this long, so that its end can be told again. */
const RESOLVED_RETENTION_MS = 15 * 60_000;
const NAME_LABEL = 'alertname';
const STATE_LABEL = 'alertstate';

/** Has an alert for every series of an expression's answer: pending first, firing when it lasts. */
export class AlertingRule {
  readonly kind = 'alerting';
  readonly definition: RuleDefinition;
  readonly #surroundings: AlertSurroundings;
  readonly #labels: readonly (readonly [string, ParsedTemplate])[];
  readonly #annotations: readonly (readonly [string, ParsedTemplate])[];
  /** By the key of their labels. */
  #alerts = new Map<string, Alert>();

  constructor(definition: RuleDefinition, surroundings: AlertSurroundings) {
    this.definition = definition;
    this.#surroundings = surroundings;
    this.#labels = this.#compiled(definition.labels);
    this.#annotations = this.#compiled(definition.annotations);
  }

  get name(): string {
    return this.definition.name;
  }

  /** Pending and firing, not resolved. */
  get activeAlerts(): readonly Alert[] {
    return [...this.#alerts.values()].filter(({ resolvedAt }) => resolvedAt === undefined);
  }

  /**
   * Moves the alerts on to `timeMs` and gives their series (`ALERTS`, `ALERTS_FOR_STATE`) to be stored. Rejects with what
   * the query fails with, equal label sets, or too many alerts, which then are all forgotten. A template that fails gives
   * its error as its text.
   */
  async evaluate(query: RuleQuery, timeMs: number, limit: number): Promise<RuleSample[]> {
    const found = await this.#alertsOf(await query(this.definition.expr, timeMs), query, timeMs);
    for (const [key, alert] of found) {
      const known = this.#alerts.get(key);
      if (known === undefined || known.state === 'inactive') this.#alerts.set(key, alert);
      else {
        known.value = alert.value;
        known.annotations = alert.annotations;
      }
    }
    const samples: RuleSample[] = [];
    let active = 0;
    for (const [key, alert] of this.#alerts) {
      if (!this.#advance(key, alert, found.has(key), timeMs)) continue;
      active++;
      samples.push(this.#stateSample(alert), this.#forStateSample(alert));
    }
    if (limit > 0 && active > limit) {
      this.#alerts = new Map();
      throw new VeronaError('execution', `exceeded limit of ${limit} with ${active} alerts`);
    }
    return samples;
  }

  /** Whether the alert is still pending or firing afterwards. */
  #advance(key: string, alert: Alert, isFound: boolean, timeMs: number): boolean {
    const { forMs, keepFiringForMs } = this.definition;
    if (isFound) alert.keepFiringSince = undefined;
    else {
      let keeps = false;
      if (alert.state === 'firing' && keepFiringForMs > 0) {
        alert.keepFiringSince ??= timeMs;
        keeps = timeMs - alert.keepFiringSince < keepFiringForMs;
      }
      const isOver = alert.resolvedAt !== undefined && timeMs - alert.resolvedAt > RESOLVED_RETENTION_MS;
      if (alert.state === 'pending' || isOver) this.#alerts.delete(key);
      if (alert.state !== 'inactive' && !keeps) {
        alert.state = 'inactive';
        alert.resolvedAt = timeMs;
      }
      if (!keeps) return false;
    }
    if (alert.state === 'pending' && timeMs - alert.activeAt >= forMs) {
      alert.state = 'firing';
      alert.firedAt = timeMs;
    }
    return true;
  }

  async #alertsOf(
    samples: readonly RuleSample[],
    query: RuleQuery,
    timeMs: number,
  ): Promise<Map<string, Alert>> {
    const world = this.#world(query, timeMs);
    const alerts = new Map<string, Alert>();
    for (const sample of samples) {
      const data = this.#dataOf(sample);
      const added = await this.#expanded(this.#labels, data, world);
      const labels = labelsWith(sample.labels, [[METRIC_NAME, ''], ...added, [NAME_LABEL, this.name]]);
      const annotations = Labels.from(await this.#expanded(this.#annotations, data, world));
      if (alerts.has(labels.key()))
        throw new VeronaError(
          'execution',
          'vector contains metrics with the same labelset after applying alert labels',
        );
      alerts.set(labels.key(), {
        labels,
        annotations,
        state: 'pending',
        value: sample.value,
        activeAt: timeMs,
        firedAt: undefined,
        resolvedAt: undefined,
        keepFiringSince: undefined,
      });
    }
    return alerts;
  }

  #dataOf({ labels, value }: RuleSample): Value {
    const { externalLabels, externalUrl } = this.#surroundings;
    return new Map<string, Value>([
      ['Labels', mapOf(labels)],
      ['ExternalLabels', externalLabels],
      ['ExternalURL', externalUrl],
      ['Value', value],
    ]);
  }

  #world(query: RuleQuery, timeMs: number): TemplateWorld {
    return {
      externalUrl: this.#surroundings.externalUrl,
      nowMs: timeMs,
      query: async (text) =>
        (await query(text, timeMs)).map(
          ({ labels, value }): TemplateSample => ({ Labels: mapOf(labels), Value: value }),
        ),
    };
  }

  #compiled(texts: ReadonlyMap<string, string>): (readonly [string, ParsedTemplate])[] {
    return [...texts]
      .sort(([a], [b]) => compareStrings(a, b))
      .map(([name, text]) => [name, compileAlertTemplate(this.name, text)]);
  }

  async #expanded(
    templates: readonly (readonly [string, ParsedTemplate])[],
    data: Value,
    world: TemplateWorld,
  ): Promise<[string, string][]> {
    const expanded: [string, string][] = [];
    for (const [name, template] of templates)
      expanded.push([name, await this.#expand(template, data, world)]);
    return expanded;
  }

  async #expand(template: ParsedTemplate, data: Value, world: TemplateWorld): Promise<string> {
    try {
      return await expandTemplate(this.#templateName, template, data, world);
    } catch (error) {
      if (!(error instanceof VeronaError)) throw error;
      return `<error expanding template: error executing template ${this.#templateName}: ${error.message}>`;
    }
  }

  get #templateName(): string {
    return templateName(this.name);
  }

  #stateSample({ labels, state }: Alert): RuleSample {
    const names: [string, string][] = [
      [METRIC_NAME, 'ALERTS'],
      [NAME_LABEL, this.name],
      [STATE_LABEL, state],
    ];
    return { labels: labelsWith(labels, names), value: 1, histogram: undefined };
  }

  #forStateSample({ labels, activeAt }: Alert): RuleSample {
    const names: [string, string][] = [
      [METRIC_NAME, 'ALERTS_FOR_STATE'],
      [NAME_LABEL, this.name],
    ];
    const value = Math.trunc(activeAt / 1000);
    return { labels: labelsWith(labels, names), value, histogram: undefined };
  }
}

function mapOf({ flat }: Labels): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
  return map;
}
