import { parseDuration } from '../../model/duration.ts';
import { VeronaError } from '../../model/errors.ts';
import { compareStrings } from '../../model/labels.ts';
import { matchesSomewhere, replaceEvery } from '../../model/regex-replace.ts';
import { parseFloatText } from '../../promql/functions/parse-float.ts';
import { humanize, humanize1024, humanizeDuration, humanizePercentage } from './humanize.ts';
import { sprintf, typeName } from './printf.ts';
import {
  formatG,
  isList,
  isMap,
  isSample,
  isTrue,
  printValue,
  type TemplateSample,
  type Value,
} from './value.ts';

/** What a template may ask of the world around it. */
export interface TemplateWorld {
  /** Evaluates PromQL at the time of the rule. */
  readonly query: (query: string) => Promise<readonly TemplateSample[]>;
  readonly externalUrl: string;
  /** ms: the time of the rule. */
  readonly nowMs: number;
}

type TemplateFunction = (args: readonly Value[], world: TemplateWorld) => Value | Promise<Value>;

/** Go's `and` and `or` are not here: they do not evaluate what they do not need. `tmpl` neither: it needs the templates. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  ...comparisons(),
  not: ([value]) => !isTrue(value),
  len: ([value]) => BigInt(lengthOf(value)),
  index: ([of, ...keys]) => keys.reduce(indexed, of),
  slice: ([of, ...bounds]) => sliced(of, bounds),
  print: (values) => sprint(values),
  println: (values) => `${values.map(printValue).join(' ')}\n`,
  printf: ([format, ...values]) => sprintf(text(format), values),
  html: (values) => escapeHtml(sprint(values)),
  js: (values) => escapeJs(sprint(values)),
  urlquery: (values) => queryEscape(sprint(values)),
  query: async ([query], world) => world.query(text(query)),
  first: ([list]) => {
    const [first] = samples(list);
    if (first === undefined) throw fail('first() called on vector with no elements');
    return first;
  },
  label: ([name, of]) => sample(of).Labels.get(text(name)) ?? '',
  value: ([of]) => sample(of).Value,
  strvalue: ([of]) => sample(of).Labels.get('__value__') ?? '',
  sortByLabel: ([name, list]) => {
    const key = (one: TemplateSample) => one.Labels.get(text(name)) ?? '';
    return [...samples(list)].sort((a, b) => compareStrings(key(a), key(b)));
  },
  args: (values) => new Map(values.map((value, i): [string, Value] => [`arg${i}`, value])),
  reReplaceAll: ([pattern, by, of]) => replaceEvery(text(pattern), text(by), text(of)),
  match: ([pattern, of]) => matchesSomewhere(text(pattern), text(of)),
  safeHtml: ([of]) => text(of),
  title: ([of]) => text(of).replace(/(?<![\p{L}\p{Nd}_]|[^ -~\s])\p{L}/gu, (letter) => letter.toUpperCase()),
  toUpper: ([of]) => text(of).toUpperCase(),
  toLower: ([of]) => text(of).toLowerCase(),
  graphLink: ([query]) => `/graph?g0.expr=${queryEscape(text(query))}&g0.tab=0`,
  tableLink: ([query]) => `/graph?g0.expr=${queryEscape(text(query))}&g0.tab=1`,
  urlQueryEscape: ([of]) => queryEscape(text(of)),
  stripPort: ([of]) => hostAndPort(text(of))?.[0] ?? text(of),
  stripDomain: ([of]) => stripDomain(text(of)),
  humanize: ([of]) => humanize(float(of)),
  humanize1024: ([of]) => humanize1024(float(of)),
  humanizeDuration: ([of]) => humanizeDuration(float(of)),
  humanizePercentage: ([of]) => humanizePercentage(float(of)),
  humanizeTimestamp: ([of]) => (Number.isFinite(float(of)) ? printValue(time(of)) : formatG(float(of), 4)),
  toTime: ([of]) => time(of),
  now: (_, { nowMs }) => nowMs / 1000,
  pathPrefix: (_, { externalUrl }) => pathOf(externalUrl),
  externalURL: (_, { externalUrl }) => externalUrl,
  parseDuration: ([of]) => {
    const ms = parseDuration(text(of));
    if (ms === undefined) throw fail(`not a valid duration string: ${JSON.stringify(text(of))}`);
    return ms / 1000;
  },
};

/** Least arguments of each function; `undefined` takes any number. Most take exactly so many. */
export const ARITY: Readonly<Record<string, readonly [least: number, most: number]>> = {
  ...Object.fromEntries(
    ['print', 'println', 'html', 'js', 'urlquery', 'args'].map((name) => [name, [0, 1000]]),
  ),
  ...Object.fromEntries(['eq', 'printf', 'index', 'slice', 'and', 'or'].map((name) => [name, [1, 1000]])),
  ...Object.fromEntries(
    ['ne', 'lt', 'le', 'gt', 'ge', 'label', 'sortByLabel', 'match', 'tmpl'].map((name) => [name, [2, 2]]),
  ),
  ...Object.fromEntries(['now', 'pathPrefix', 'externalURL'].map((name) => [name, [0, 0]])),
  reReplaceAll: [3, 3],
};

export function fail(message: string): VeronaError {
  return new VeronaError('execution', message);
}

function text(value: Value): string {
  if (typeof value !== 'string') throw fail(`wrong type for value; expected string; got ${typeName(value)}`);
  return value;
}

function float(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    const parsed = parseFloatText(value);
    if (parsed !== undefined) return parsed;
    throw fail(`strconv.ParseFloat: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  throw fail(`can't convert ${typeName(value)} to float`);
}

function time(value: Value): Date {
  const seconds = float(value);
  if (!Number.isFinite(seconds) || Math.abs(seconds) > 8.64e12)
    throw fail(
      `${formatG(seconds, -1)} cannot be represented as a nanoseconds timestamp since it overflows int64`,
    );
  return new Date(Math.round(seconds * 1000));
}

function samples(value: Value): readonly TemplateSample[] {
  if (!isList(value))
    throw fail(`wrong type for value; expected template.queryResult; got ${typeName(value)}`);
  return value as readonly TemplateSample[];
}

function sample(value: Value): TemplateSample {
  if (!isSample(value)) throw fail(`wrong type for value; expected *template.sample; got ${typeName(value)}`);
  return value;
}

function lengthOf(value: Value): number {
  if (typeof value === 'string') return new TextEncoder().encode(value).length;
  if (isMap(value)) return value.size;
  if (isList(value)) return value.length;
  throw fail(`len of type ${typeName(value)}`);
}

function indexed(of: Value, key: Value): Value {
  if (isMap(of)) {
    if (typeof key !== 'string') throw fail(`value has type ${typeName(key)}; should be string`);
    return of.get(key) ?? '';
  }
  if (!isList(of)) throw fail(`can't index item of type ${typeName(of)}`);
  if (typeof key !== 'bigint') throw fail(`cannot index slice/array with type ${typeName(key)}`);
  if (key < 0 || key >= of.length) throw fail(`index out of range: ${key}`);
  return of[Number(key)];
}

function sliced(of: Value, bounds: readonly Value[]): Value {
  const length = lengthOf(of);
  const [from = 0, to = length] = bounds.map(Number);
  if (!(from >= 0 && from <= to && to <= length))
    throw fail(`index out of range: ${bounds.map(printValue).join(':')}`);
  if (typeof of === 'string')
    return new TextDecoder().decode(new TextEncoder().encode(of).subarray(from, to));
  return (of as readonly Value[]).slice(from, to);
}

/** Go's `fmt.Sprint`: a space between two operands when neither is a string. */
function sprint(values: readonly Value[]): string {
  return values
    .map((value, i) => {
      const spaced = i > 0 && typeof value !== 'string' && typeof values[i - 1] !== 'string';
      return (spaced ? ' ' : '') + (value === undefined ? '<nil>' : printValue(value));
    })
    .join('');
}

function comparisons(): Record<string, TemplateFunction> {
  const ordered =
    (test: (order: number) => boolean): TemplateFunction =>
    ([a, b]) => {
      if (kindOf(a) !== kindOf(b)) throw fail('incompatible types for comparison');
      if (kindOf(a) === 'bool' || kindOf(a) === 'other') throw fail('invalid type for comparison');
      if (typeof a === 'string') return test(compareStrings(a, b as string));
      const [x, y] = [a, b] as [number, number];
      return test(x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN);
    };
  return {
    eq: ([first, ...others]) => others.some((other) => equal(first, other)),
    ne: ([a, b]) => !equal(a, b),
    lt: ordered((order) => order < 0),
    le: ordered((order) => order <= 0),
    gt: ordered((order) => order > 0),
    ge: ordered((order) => order >= 0),
  };
}

function equal(a: Value, b: Value): boolean {
  if (kindOf(a) === 'other' || kindOf(b) === 'other') throw fail('invalid type for comparison');
  if (kindOf(a) !== kindOf(b)) throw fail('incompatible types for comparison');
  return a === b;
}

function kindOf(value: Value): 'string' | 'int' | 'float' | 'bool' | 'other' {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  return typeof value === 'boolean' ? 'bool' : 'other';
}

const HTML: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\uFFFD',
};

function escapeHtml(value: string): string {
  return [...value].map((char) => HTML[char] ?? char).join('');
}

const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

function escapeJs(value: string): string {
  const point = (char: string) => (char.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0');
  return [...value].map((char) => JS[char] ?? (char < ' ' ? `\\u${point(char)}` : char)).join('');
}

/** Go's `url.QueryEscape`. */
function queryEscape(value: string): string {
  return encodeURIComponent(value)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

function hostAndPort(address: string): [host: string, port: string] | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(address);
  return match ? [match[1] ?? match[2], match[3]] : undefined;
}

function stripDomain(address: string): string {
  const [host, port] = hostAndPort(address) ?? [address, ''];
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host) || host.includes(':')) return address;
  const [name] = host.split('.');
  return port === '' ? name : `${name}:${port}`;
}

function pathOf(url: string): string {
  return /^[a-z]+:\/\/[^/]*(\/[^?#]*)?/.exec(url)?.[1] ?? '';
}
