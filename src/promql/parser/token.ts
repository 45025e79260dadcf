import { quote } from './go-text.ts';

/** Words that mean something outside of braces, whatever their case. */
export const AGGREGATORS: ReadonlySet<string> = new Set([
  'avg',
  'bottomk',
  'count',
  'count_values',
  'group',
  'limit_ratio',
  'limitk',
  'max',
  'min',
  'quantile',
  'stddev',
  'stdvar',
  'sum',
  'topk',
]);
const WORD_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless', 'atan2']);
const MODIFIERS: ReadonlySet<string> = new Set([
  'anchored',
  'bool',
  'by',
  'fill',
  'fill_left',
  'fill_right',
  'group_left',
  'group_right',
  'ignoring',
  'offset',
  'on',
  'smoothed',
  'without',
]);
/** Words that are functions in expressions; `step`, `range`, `min_of`, `max_of` also in durations. */
const PREPROCESSORS: ReadonlySet<string> = new Set(['start', 'end', 'step', 'range', 'max_of', 'min_of']);
export const DURATION_WORDS: ReadonlySet<string> = new Set(['step', 'range', 'max_of', 'min_of']);

const KEYWORDS: ReadonlySet<string> = new Set([
  ...AGGREGATORS,
  ...WORD_OPERATORS,
  ...MODIFIERS,
  ...PREPROCESSORS,
]);
const OPERATORS: ReadonlySet<string> = new Set([
  ...WORD_OPERATORS,
  ...['+', '-', '*', '/', '%', '^', '==', '!=', '<', '<=', '>', '>=', '</', '>/', '=~', '!~', '@'],
]);
const NOT_METRIC_NAMES: ReadonlySet<string> = new Set([
  'atan2',
  'bool',
  'group_left',
  'group_right',
  'ignoring',
  'on',
]);

/**
 * `type` is the symbol itself for punctuation and operators, the lower-case word for keywords, and otherwise one of
 * `eof`, `identifier`, `metric identifier` (has a colon), `string` (raw, with quotes), `number`, `duration`.
 */
export interface Token {
  readonly type: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The keyword that a word is, or undefined. */
export function keywordOf(word: string): string | undefined {
  const lower = word.toLowerCase();
  return KEYWORDS.has(lower) ? lower : undefined;
}

/** Whether the token may stand for a metric before braces: names, and the keywords that are no pure operators. */
export function isMetricName(token: Token): boolean {
  return isName(token) || (KEYWORDS.has(token.type) && !NOT_METRIC_NAMES.has(token.type));
}

/** Whether the token may stand for a label in `by (…)`: every name and keyword but `without`. */
export function isGroupingLabel(token: Token): boolean {
  return isName(token) || (KEYWORDS.has(token.type) && token.type !== 'without');
}

/** A token as error messages name it: `identifier "foo"`, `<op:*>`, `end of input`. */
export function describeToken(token: Token): string {
  const { type, text } = token;
  if (type === 'eof') return 'end of input';
  if (isName(token)) return `${type} ${quote(text)}`;
  if (MODIFIERS.has(type)) return `<${text}>`;
  if (OPERATORS.has(type)) return `<op:${text}>`;
  if (AGGREGATORS.has(type)) return `<aggr:${text}>`;
  const shown = [...text].length > 10 ? `${quote([...text].slice(0, 10).join(''))}...` : quote(text);
  return type === 'string' || type === 'number' || type === 'duration' ? `${type} ${shown}` : shown;
}

function isName(token: Token): boolean {
  return token.type === 'identifier' || token.type === 'metric identifier';
}
