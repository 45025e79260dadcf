import { largest, smallest } from './scalar-operators.ts';

/** Functions of a float and further scalars; undefined: no result. */
export const FLOAT_FUNCTIONS: Readonly<
  Record<string, (v: number, ...scalars: readonly number[]) => number | undefined>
> = {
  abs: (v) => Math.abs(v),
  ceil: (v) => Math.ceil(v),
  floor: (v) => Math.floor(v),
  exp: (v) => Math.exp(v),
  sqrt: (v) => Math.sqrt(v),
  ln: (v) => Math.log(v),
  log2: (v) => Math.log2(v),
  log10: (v) => Math.log10(v),
  sin: (v) => Math.sin(v),
  cos: (v) => Math.cos(v),
  tan: (v) => Math.tan(v),
  asin: (v) => Math.asin(v),
  acos: (v) => Math.acos(v),
  atan: (v) => Math.atan(v),
  sinh: (v) => Math.sinh(v),
  cosh: (v) => Math.cosh(v),
  tanh: (v) => Math.tanh(v),
  asinh: (v) => Math.asinh(v),
  acosh: (v) => Math.acosh(v),
  atanh: (v) => Math.atanh(v),
  rad: (v) => (v * Math.PI) / 180,
  deg: (v) => (v * 180) / Math.PI,
  sgn: (v) => (v < 0 ? -1 : v > 0 ? 1 : v),
  clamp: (v, min, max) => (max < min ? undefined : largest(min, smallest(max, v))),
  clamp_min: (v, min) => largest(min, smallest(Infinity, v)),
  clamp_max: (v, max) => largest(-Infinity, smallest(max, v)),
  round: (v, to = 1) => Math.floor(v * (1 / to) + 0.5) / (1 / to),
};

/** Parts of a date in UTC, of a time in whole seconds. */
export const DATE_FUNCTIONS: Readonly<Record<string, (date: Date) => number>> = {
  minute: (date) => date.getUTCMinutes(),
  hour: (date) => date.getUTCHours(),
  day_of_week: (date) => date.getUTCDay(),
  day_of_month: (date) => date.getUTCDate(),
  month: (date) => date.getUTCMonth() + 1,
  year: (date) => date.getUTCFullYear(),
  day_of_year: (date) => dayOfYear(date),
  days_in_month: (date) => daysInMonth(date),
};

export function dateOf(seconds: number): Date {
  return new Date(Math.trunc(seconds) * 1000);
}

function dayOfYear(date: Date): number {
  let day = date.getUTCDate();
  for (let month = 0; month < date.getUTCMonth(); month++) day += monthLength(date.getUTCFullYear(), month);
  return Number.isNaN(date.getTime()) ? Number.NaN : day;
}

function daysInMonth(date: Date): number {
  return Number.isNaN(date.getTime()) ? Number.NaN : monthLength(date.getUTCFullYear(), date.getUTCMonth());
}

function monthLength(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
}
