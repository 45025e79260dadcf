import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';
import { parseOrdinal, parseSize } from './units.ts';

/** The kinds of settings. Each takes its default as a user would write it, and one sentence for the reference. */

export function duration(defaultText: string, description: string) {
  return z
    .string()
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined) return ms;
      context.addIssue({
        code: 'custom',
        message: `not a duration: ${JSON.stringify(text)}; write for example 15s, 5m or 2h`,
      });
      return z.NEVER;
    })
    .prefault(defaultText)
    .meta({ description, kind: 'duration' });
}

export function size(defaultText: string, description: string) {
  return z
    .union([z.string(), z.number().transform(String)])
    .transform((text, context) => {
      const bytes = parseSize(text);
      if (bytes !== undefined) return bytes;
      context.addIssue({
        code: 'custom',
        message: `not a size: ${JSON.stringify(text)}; write for example 512KiB, 128MiB or 2GiB`,
      });
      return z.NEVER;
    })
    .prefault(defaultText)
    .meta({ description, kind: 'size' });
}

export function integer(defaultValue: number, min: number, description: string) {
  return z.number().int().min(min).prefault(defaultValue).meta({ description, kind: 'integer' });
}

/** Which of several instances, from 0. */
export function ordinal(description: string) {
  return z
    .union([z.string(), z.number().transform(String)])
    .transform((text, context) => {
      const number = parseOrdinal(text);
      if (number !== undefined) return number;
      context.addIssue({
        code: 'custom',
        message: `not a number from 0, nor a host name that ends with one: ${JSON.stringify(text)}; write for example 3 or gateway-3`,
      });
      return z.NEVER;
    })
    .prefault('0')
    .meta({
      description: `${description} From 0; a host name whose first part ends with the number will do, such as \`gateway-3\` of a StatefulSet.`,
      kind: 'number or host name',
    });
}

export function text(defaultValue: string, description: string) {
  return z.string().prefault(defaultValue).meta({ description, kind: 'text' });
}

export function flag(defaultValue: boolean, description: string) {
  return z.boolean().prefault(defaultValue).meta({ description, kind: 'boolean' });
}

export function choice<const T extends readonly [string, ...string[]]>(
  options: T,
  defaultValue: T[number],
  description: string,
) {
  return z
    .enum(options)
    .prefault(defaultValue)
    .meta({ description, kind: `one of ${options.join(', ')}` });
}

/** Any of some words. */
export function choices<const T extends readonly [string, ...string[]]>(options: T, description: string) {
  return z
    .array(z.enum(options))
    .prefault([])
    .meta({ description: `${description} Any of ${options.join(', ')}.`, kind: 'list of text' });
}

export function list(description: string) {
  return z.array(z.string()).prefault([]).meta({ description, kind: 'list of text' });
}

/** Some durations as texts, ascending, each a multiple of the one before. */
export function spans(defaultTexts: readonly string[], description: string) {
  return z
    .array(z.string())
    .min(1)
    .refine(areSpans, 'not ascending durations, each a multiple of the one before, such as 2h, 12h, 24h')
    .prefault([...defaultTexts])
    .meta({ description, kind: 'list of text' });
}

/** Whether durations ascend, each a multiple of the one before. */
export function areSpans(texts: readonly string[]): boolean {
  const spansMs = texts.map((text) => parseDuration(text) ?? Number.NaN);
  return spansMs.every((ms, i) => ms > 0 && (i === 0 || (ms > spansMs[i - 1] && ms % spansMs[i - 1] === 0)));
}

/** A group of settings; absent means all defaults, an unknown key is an error. */
export function section<T extends z.core.$ZodLooseShape>(description: string, shape: T) {
  return z
    .strictObject(shape)
    .prefault({} as never)
    .meta({ description });
}
