import type { ValueType } from '../parser/ast.ts';

/** How a function may be called. */
export interface FunctionSignature {
  readonly name: string;
  /** Types by position; the last one repeats for variadic functions. */
  readonly args: readonly ValueType[];
  readonly argsMin: number;
  /** `Infinity` for any number. */
  readonly argsMax: number;
  readonly returns: ValueType;
  /** Needs the feature `promql-experimental-functions`. */
  readonly experimental: boolean;
}

/** The signature of a function, undefined when there is none of that name. */
export function functionSignature(name: string): FunctionSignature | undefined {
  return SIGNATURES.get(name);
}

/** All functions of the language, by name. */
export function functionNames(): readonly string[] {
  return [...SIGNATURES.keys()].sort();
}

/**
 * One shape per line: `types -> type`, where `?` marks an argument that may be left out, `...` one that may
 * come any number of times (also none), `...n` at most n times.
 */
const STABLE: Readonly<Record<string, string>> = {
  'vector -> vector':
    'abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count ' +
    'histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad sgn sin sinh sort sort_desc sqrt tan tanh ' +
    'timestamp',
  'vector? -> vector': 'day_of_month day_of_week day_of_year days_in_month hour minute month year',
  'matrix -> vector':
    'absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate ' +
    'last_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time ' +
    'sum_over_time',
  'matrix, scalar -> vector': 'predict_linear',
  'scalar, matrix -> vector': 'quantile_over_time',
  'vector, scalar -> vector': 'clamp_max clamp_min',
  'vector, scalar? -> vector': 'round',
  'vector, scalar, scalar -> vector': 'clamp',
  'scalar, vector -> vector': 'histogram_quantile',
  'scalar, scalar, vector -> vector': 'histogram_fraction',
  'vector, string, string, string, string -> vector': 'label_replace',
  'vector, string, string, string... -> vector': 'label_join',
  'vector -> scalar': 'scalar',
  'scalar -> vector': 'vector',
  '-> scalar': 'pi time',
};

const EXPERIMENTAL: Readonly<Record<string, string>> = {
  'matrix -> vector':
    'mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time',
  'matrix, scalar, scalar -> vector': 'double_exponential_smoothing',
  'vector -> vector': 'start_timestamp',
  'vector, vector? -> vector': 'info',
  'vector, string... -> vector': 'sort_by_label sort_by_label_desc',
  'vector, string, scalar, scalar...9 -> vector': 'histogram_quantiles',
  'scalar, scalar -> scalar': 'max_of min_of',
  '-> scalar': 'end range start step',
};

const SIGNATURES: ReadonlyMap<string, FunctionSignature> = new Map([
  ...signaturesOf(STABLE, false),
  ...signaturesOf(EXPERIMENTAL, true),
]);

function signaturesOf(
  table: Readonly<Record<string, string>>,
  experimental: boolean,
): [string, FunctionSignature][] {
  return Object.entries(table).flatMap(([shape, names]) =>
    names
      .split(' ')
      .map((name): [string, FunctionSignature] => [name, { name, ...shapeOf(shape), experimental }]),
  );
}

function shapeOf(shape: string): Omit<FunctionSignature, 'name' | 'experimental'> {
  const [left, returns] = shape.split('-> ') as [string, ValueType];
  const words = left.trim() === '' ? [] : left.trim().split(', ');
  const args = words.map((word) => word.replace(/[?.\d]+$/, '') as ValueType);
  const last = words.at(-1) ?? '';
  const optional = last.endsWith('?') || last.includes('...') ? 1 : 0;
  const argsMin = words.length - optional;
  const times = last.includes('...') ? Number(last.split('...')[1] || Infinity) : optional;
  return { args, argsMin, argsMax: argsMin + times, returns };
}
