import { createHash } from 'node:crypto';
import { assertNever } from '../platform/assert.ts';
import { Labels } from './labels.ts';
import { compileLabelRegex } from './regex.ts';
import { compileReplacement } from './regex-replace.ts';
import {
  checkRelabelRule,
  isLabelName,
  type NameScheme,
  RELABEL_DEFAULTS,
  type RelabelRule,
} from './relabel-rule.ts';

/** Changes the labels given to it; false to drop what they belong to. */
type Step = (labels: Map<string, string>) => boolean;

/** The rules of a `relabel_configs` in their order, with Prometheus' semantics. For targets, samples, blocks and series alike. */
export class Relabeler {
  readonly #steps: readonly Step[];

  /** Throws `bad_data`, in Prometheus' words, at the first rule that is none. */
  constructor(rules: readonly RelabelRule[], scheme: NameScheme = 'utf8') {
    this.#steps = rules.map((rule) => compileRule(rule, scheme));
  }

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }

  /** The labels after all rules; undefined when one dropped them. */
  apply(labels: Labels): Labels | undefined {
    if (this.isEmpty) return labels;
    const changed = new Map(labels);
    for (const step of this.#steps) if (!step(changed)) return undefined;
    return Labels.from(changed);
  }
}

function compileRule(given: RelabelRule, scheme: NameScheme): Step {
  checkRelabelRule(given, scheme);
  const rule = { ...RELABEL_DEFAULTS, ...given };
  const { action, targetLabel, modulus } = rule;
  const value = (labels: Map<string, string>) =>
    rule.sourceLabels.map((name) => labels.get(name) ?? '').join(rule.separator);
  switch (action) {
    case 'replace':
      return replaceStep(rule, value, scheme);
    case 'keep':
    case 'drop': {
      const regex = compileLabelRegex(rule.regex);
      return (labels) => regex.matches(value(labels)) === (action === 'keep');
    }
    case 'keepequal':
      return (labels) => (labels.get(targetLabel) ?? '') === value(labels);
    case 'dropequal':
      return (labels) => (labels.get(targetLabel) ?? '') !== value(labels);
    case 'hashmod':
      return (labels) => put(labels, targetLabel, String(md5Tail(value(labels)) % modulus));
    case 'lowercase':
      return (labels) => put(labels, targetLabel, value(labels).toLowerCase());
    case 'uppercase':
      return (labels) => put(labels, targetLabel, value(labels).toUpperCase());
    case 'labelmap':
      return labelMapStep(rule);
    case 'labeldrop':
    case 'labelkeep': {
      const regex = compileLabelRegex(rule.regex);
      return (labels) => {
        for (const name of [...labels.keys()])
          if (regex.matches(name) === (action === 'labeldrop')) labels.delete(name);
        return true;
      };
    }
    default:
      return assertNever(action);
  }
}

function replaceStep(
  { regex, targetLabel, replacement }: Required<RelabelRule>,
  value: (labels: Map<string, string>) => string,
  scheme: NameScheme,
): Step {
  const target = templateOf(regex, targetLabel);
  const result = templateOf(regex, replacement);
  return (labels) => {
    const source = value(labels);
    const name = target(source);
    // No match, or a template that made no name: the labels stay.
    if (name === undefined || !isLabelName(name, scheme)) return true;
    return put(labels, name, result(source) as string);
  };
}

function labelMapStep({ regex, replacement }: Required<RelabelRule>): Step {
  const rename = templateOf(regex, replacement);
  return (labels) => {
    for (const [name, value] of [...labels]) {
      const renamed = rename(name);
      if (renamed !== undefined) put(labels, renamed, value);
    }
    return true;
  };
}

/** `compileReplacement`, without an automaton where the template has no group or the default expression takes everything. */
function templateOf(source: string, template: string): (text: string) => string | undefined {
  const regex = compileLabelRegex(source);
  if (!template.includes('$')) return (text) => (regex.matches(text) ? template : undefined);
  if (source === RELABEL_DEFAULTS.regex && template === RELABEL_DEFAULTS.replacement) return (text) => text;
  return compileReplacement(source, template);
}

function put(labels: Map<string, string>, name: string, value: string): true {
  if (value === '') labels.delete(name);
  else labels.set(name, value);
  return true;
}

/** The last eight bytes of the MD5 sum as one number, big endian. */
function md5Tail(text: string): bigint {
  return createHash('md5').update(text).digest().readBigUInt64BE(8);
}
