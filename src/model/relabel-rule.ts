import { VeronaError } from './errors.ts';

/** Prometheus' relabelling actions. */
export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof RELABEL_ACTIONS)[number];

/** Which label names there may be: Prometheus 2's `[a-zA-Z_][a-zA-Z0-9_]*`, or any text as in Prometheus 3. */
export type NameScheme = 'legacy' | 'utf8';

/** One rule of `relabel_configs`; what is absent has Prometheus' default. */
export interface RelabelRule {
  readonly action?: RelabelAction;
  readonly sourceLabels?: readonly string[];
  /** `;` */
  readonly separator?: string;
  /** RE2, anchored, dot matches newline; `(.*)`. */
  readonly regex?: string;
  /** 1 … 2^64 - 1, for `hashmod`. */
  readonly modulus?: bigint;
  readonly targetLabel?: string;
  /** With `$1`, `${1}`, `$name`; `$1`. */
  readonly replacement?: string;
}

export const RELABEL_DEFAULTS = {
  action: 'replace',
  sourceLabels: [],
  separator: ';',
  regex: '(.*)',
  modulus: 0n,
  targetLabel: '',
  replacement: '$1',
} as const satisfies Required<RelabelRule>;

const LEGACY_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** A legacy name in which any part may be a reference to a group of the expression. Matches in one way only, so never slowly. */
const LEGACY_TEMPLATE = /^(?:[a-zA-Z_]|\$(?:\{\w+\}|\w))(?:\w|\$(?:\{\w+\}|\w))*$/;
const TEMPLATE_LENGTH_MAX = 4096;

export function isLabelName(name: string, scheme: NameScheme): boolean {
  return scheme === 'legacy' ? LEGACY_NAME.test(name) : name !== '' && name.isWellFormed();
}

/** Prometheus' checks of one rule, in its words. Throws `bad_data`. The expression is checked where it is compiled. */
export function checkRelabelRule(given: RelabelRule, scheme: NameScheme): void {
  const rule = { ...RELABEL_DEFAULTS, ...given };
  const { action, targetLabel, replacement } = rule;
  if (targetLabel.length > TEMPLATE_LENGTH_MAX || replacement.length > TEMPLATE_LENGTH_MAX)
    fail(`${action} action: a template is longer than ${TEMPLATE_LENGTH_MAX} characters`);
  if (action === 'hashmod' && rule.modulus <= 0n)
    fail('relabel configuration for hashmod requires non-zero modulus');
  if (NEEDS_TARGET.has(action)) checkTarget(action, targetLabel, scheme);
  if (WITHOUT_REPLACEMENT.has(action) && replacement !== RELABEL_DEFAULTS.replacement)
    fail(`'replacement' can not be set for ${action} action`);
  if (action === 'labelmap' && !isTemplate(replacement, scheme))
    fail(`${JSON.stringify(replacement)} is invalid 'replacement' for labelmap action`);
  if (action === 'keepequal' || action === 'dropequal')
    if (!hasDefaults(rule, ['regex', 'modulus', 'separator', 'replacement']))
      fail(`${action} action requires only 'source_labels' and 'target_label', and no other fields`);
  if (action === 'labeldrop' || action === 'labelkeep')
    if (
      given.sourceLabels !== undefined ||
      !hasDefaults(rule, ['targetLabel', 'modulus', 'separator', 'replacement'])
    )
      fail(`${action} action requires only 'regex', and no other fields`);
}

const NEEDS_TARGET: ReadonlySet<RelabelAction> = new Set([
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
]);
const WITHOUT_REPLACEMENT: ReadonlySet<RelabelAction> = new Set([
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
]);

function checkTarget(action: RelabelAction, target: string, scheme: NameScheme): void {
  if (target === '') fail(`relabel configuration for ${action} action requires 'target_label' value`);
  const isGood =
    action === 'replace' && target.includes('$') ? isTemplate(target, scheme) : isLabelName(target, scheme);
  if (!isGood) fail(`${JSON.stringify(target)} is invalid 'target_label' for ${action} action`);
}

function isTemplate(text: string, scheme: NameScheme): boolean {
  return scheme === 'legacy' ? LEGACY_TEMPLATE.test(text) : isLabelName(text, scheme);
}

function hasDefaults(rule: Required<RelabelRule>, keys: readonly (keyof RelabelRule)[]): boolean {
  return keys.every((key) => rule[key] === RELABEL_DEFAULTS[key]);
}

function fail(message: string): never {
  throw new VeronaError('bad_data', message);
}
