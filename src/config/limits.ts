import { z } from 'zod';
import { formatDuration, parseDuration } from '../model/duration.ts';
import { LIMIT_FIELDS, type LimitField, type LimitValues } from '../tenancy/limits.ts';
import { duration, integer, size } from './fields.ts';
import { formatSize, parseSize } from './units.ts';

type Name = keyof LimitValues;
type Shape<V> = { readonly [K in Name]: z.ZodType<V, number | string | undefined> };

/** The limits of `tenancy/` as settings, each with its default. */
export function limitShape(): Shape<number> {
  return Object.fromEntries(
    LIMIT_FIELDS.map((field: LimitField) => [field.name, withDefault(field)]),
  ) as unknown as Shape<number>;
}

/** The same without defaults, for what a single tenant overrides. */
export function overrideShape(): Shape<number | undefined> {
  return Object.fromEntries(
    LIMIT_FIELDS.map((field: LimitField) => [field.name, bare(field).optional()]),
  ) as unknown as Shape<number | undefined>;
}

function withDefault({ kind, default: value, description }: LimitField) {
  if (kind === 'duration') return duration(formatDuration(value), description);
  if (kind === 'size') return size(formatSize(value), description);
  return integer(value, 0, description);
}

function bare({ kind }: LimitField) {
  if (kind === 'integer') return z.number().int().min(0);
  const parse = kind === 'duration' ? parseDuration : parseSize;
  return z.union([z.string(), z.number().transform(String)]).transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `not a ${kind}: ${JSON.stringify(text)}` });
    return z.NEVER;
  });
}
