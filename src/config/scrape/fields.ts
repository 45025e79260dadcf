import { z } from 'zod';
import { parseDuration } from '../../model/duration.ts';
import { parseSize } from '../units.ts';

/** Kinds of values in Prometheus' YAML, out of the texts that stand there. An empty value is as good as none. */

const YES = new Set(['true', 'yes', 'on', 'y']);
const NO = new Set(['false', 'no', 'off', 'n']);

/** `read` gives undefined for a text that is not of the kind. */
function kind<T>(what: string, read: (text: string) => T | undefined) {
  return z.string().transform((text, context): T => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `not ${what}: ${JSON.stringify(text)}` });
    return z.NEVER;
  });
}

export const text = z.string();

export const flag = kind('true or false', (given) =>
  YES.has(given.toLowerCase()) ? true : NO.has(given.toLowerCase()) ? false : undefined,
);

export const count = kind('a whole number', (given) =>
  /^\d{1,15}$/.test(given) ? Number(given) : undefined,
);

export const float = kind('a number', (given) =>
  given !== '' && Number.isFinite(Number(given)) ? Number(given) : undefined,
);

export const modulus = kind('a whole number', (given) =>
  /^\d{1,20}$/.test(given) ? BigInt(given) : undefined,
);

export const duration = kind('a duration, such as 15s or 1m', parseDuration);

export const size = kind('a size, such as 10MB', parseSize);

/** Absent and empty are the default; the text of a default is read as if it stood there. */
export function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
}

export function listOf<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => (value === '' || value === undefined ? [] : value), z.array(schema));
}

export function mapOf<T extends z.ZodType>(schema: T) {
  return z.preprocess(
    (value) => (value === '' || value === undefined ? {} : value),
    z.record(z.string(), schema),
  );
}

/** A text of which some are allowed. */
export function oneOf<const T extends readonly [string, ...string[]]>(options: T) {
  return z.enum(options, {
    error: (issue) => `not one of ${options.join(', ')}: ${JSON.stringify(issue.input)}`,
  });
}
