import { VeronaError } from '../../model/errors.ts';
import type { Duration } from './ast.ts';
import { DURATION_MAX_SECONDS } from './parse-duration.ts';

/** What `step()` and `range()` stand for: of the whole query, also inside subqueries. */
export interface QueryTiming {
  readonly stepMs: number;
  /** End minus start; 0 for an instant query. */
  readonly rangeMs: number;
}

/**
 * The length of a duration in whole ms. Throws `execution` when an expression divides by zero or leaves the bounds,
 * or is not positive although `sign` demands it (ranges and steps do, offsets do not).
 */
export function durationMs(duration: Duration, timing: QueryTiming, sign: 'positive' | 'any'): number {
  // Prometheus rounds a literal to nanoseconds first; an expression is cut to milliseconds as it is.
  if (duration.kind === 'number') return Math.trunc(Math.round(duration.value * 1e9) / 1e6);
  const seconds = evaluate(duration, timing);
  if (!Number.isFinite(seconds)) throw problem(duration, 'duration is NaN or infinite');
  if (sign === 'positive' && seconds <= 0) throw problem(duration, 'duration must be greater than 0');
  if (Math.abs(seconds) > DURATION_MAX_SECONDS) throw problem(duration, 'duration is out of range');
  return Math.trunc(seconds * 1000);
}

/** Seconds, possibly with a fraction. */
function evaluate(duration: Duration, timing: QueryTiming): number {
  switch (duration.kind) {
    case 'number':
      return duration.value;
    case 'duration-function': {
      if (duration.name === 'step') return timing.stepMs / 1000;
      if (duration.name === 'range') return timing.rangeMs / 1000;
      const [a, b] = duration.args.map((arg) => evaluate(arg, timing));
      return duration.name === 'min_of' ? Math.min(a, b) : Math.max(a, b);
    }
    case 'duration-operation': {
      const left = duration.left === undefined ? 0 : evaluate(duration.left, timing);
      const right = evaluate(duration.right, timing);
      if (right === 0 && duration.op === '/') throw problem(duration, 'division by zero');
      if (right === 0 && duration.op === '%') throw problem(duration, 'modulo by zero');
      return OPERATIONS[duration.op](left, right);
    }
  }
}

const OPERATIONS = {
  '+': (a: number, b: number) => a + b,
  '-': (a: number, b: number) => a - b,
  '*': (a: number, b: number) => a * b,
  '/': (a: number, b: number) => a / b,
  '%': (a: number, b: number) => a % b,
  '^': (a: number, b: number) => a ** b,
} as const;

function problem(duration: Duration, message: string): VeronaError {
  return new VeronaError('execution', `${duration.start}:${duration.end}: ${message}`);
}
