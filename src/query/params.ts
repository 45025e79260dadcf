import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import type { HttpRequest } from '../platform/http.ts';
import { parseMatchers } from '../promql/parser/parse.ts';

/** Prometheus' bounds of time when a request names none, ms; whole seconds that a number holds exactly. */
export const MIN_TIME_MS = -8_640_000_000_000_000;
export const MAX_TIME_MS = 8_640_000_000_000_000;

/** The parameters of a request: those of the URL, then those of a form body. */
export class Params {
  readonly #values: URLSearchParams;

  constructor(request: HttpRequest) {
    const type = request.headers['content-type'];
    const isForm = type?.startsWith('application/x-www-form-urlencoded') && request.body.length > 0;
    this.#values = isForm ? withForm(request) : request.query;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return value === null || value === '' ? undefined : value;
  }

  all(name: string): string[] {
    return this.#values.getAll(name);
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw invalid(name, 'it is missing');
    return value;
  }

  /** A time in ms; Unix seconds with a fraction, or RFC 3339. Errors have Prometheus' words, which differ where there is a fallback. */
  time(name: string, fallback?: number): number {
    const value = this.text(name);
    if (value === undefined) {
      if (fallback === undefined) throw invalid(name, 'cannot parse "" to a valid timestamp');
      return fallback;
    }
    const prefix = fallback === undefined ? '' : `invalid time value for '${name}': `;
    return (
      parseTime(value) ??
      fail(invalid(name, `${prefix}cannot parse ${JSON.stringify(value)} to a valid timestamp`))
    );
  }

  /** A duration in ms; seconds with a fraction, or Prometheus' text. */
  duration(name: string, fallback?: number): number {
    const value = this.text(name);
    if (value === undefined && fallback !== undefined) return fallback;
    const ms = parseDurationParam(value ?? '');
    return ms ?? fail(invalid(name, `cannot parse ${JSON.stringify(value ?? '')} to a valid duration`));
  }

  /** What Go reads as a truth value; false when it is missing. */
  flag(name: string, fallback = false): boolean {
    const value = this.text(name);
    if (value === undefined) return fallback;
    if (/^(0|f|F|false|False|FALSE)$/.test(value)) return false;
    if (/^(1|t|T|true|True|TRUE)$/.test(value)) return true;
    throw invalid(name, `cannot parse ${JSON.stringify(value)} to a valid bool`);
  }

  /** The limit on the number of results; 0 is none. */
  limit(name = 'limit'): number {
    const value = this.text(name);
    if (value === undefined) return 0;
    if (/^-\d{1,15}$/.test(value)) throw invalid(name, `${name} must be non-negative`);
    if (!/^\+?\d{1,15}$/.test(value))
      throw invalid(name, `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`);
    return Number(value);
  }

  /** A whole number, also a negative one; undefined when it is not given. */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^[+-]?\d{1,15}$/.test(value)) throw new VeronaError('bad_data', `${name} must be a number`);
    return Number(value);
  }

  /** The sets of matchers of every parameter of that name. */
  matcherSets(name = 'match[]'): Matcher[][] {
    return this.all(name).map((text) => {
      try {
        return [...parseMatchers(text)];
      } catch (cause) {
        throw invalid(name, (cause as Error).message);
      }
    });
  }
}

function withForm({ query, body }: HttpRequest): URLSearchParams {
  const values = new URLSearchParams(query);
  for (const [name, value] of new URLSearchParams(Buffer.from(body).toString())) values.append(name, value);
  return values;
}

export function invalid(name: string, why: string): VeronaError {
  return new VeronaError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${why}`);
}

function fail(error: Error): never {
  throw error;
}

/** ms of Unix seconds or RFC 3339; undefined when it is neither. */
export function parseTime(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    const ms = Math.round(Number(text) * 1000);
    return Math.abs(ms) <= MAX_TIME_MS ? ms : undefined;
  }
  const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
  if (!rfc3339.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** ms of seconds with a fraction, or of Prometheus' duration text; undefined when it is neither. */
export function parseDurationParam(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    const ms = Math.trunc(Number(text) * 1000);
    return Math.abs(ms) <= MAX_TIME_MS ? ms : undefined;
  }
  return parseDuration(text);
}
