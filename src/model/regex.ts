import { RE2JS } from 're2js';
import { VeronaError } from './errors.ts';
import { regexCost } from './regex-cost.ts';
import { compileFastRegex, literalPrefix } from './regex-fast.ts';

/** An anchored RE2 expression over label values, with what can be known without running it. */
export interface LabelRegex {
  matches(value: string): boolean;
  /** All accepted values, when finite and few. */
  readonly setMatches: readonly string[] | undefined;
  readonly prefix: string;
}

/** Longest expression, in UTF-16 units. */
const SOURCE_LENGTH_MAX = 262_144;
/** Most parts an expression may unfold to when its repetitions are written out, for those that need an automaton. */
const COST_MAX = 100_000;
/** Compiled expressions kept for the next query that has them. */
const CACHE_ENTRIES_MAX = 512;
/** A longer expression is compiled anew each time. */
const CACHED_LENGTH_MAX = 4_096;

const cache = new Map<string, LabelRegex>();

/** Compiles a label regex as Prometheus does: RE2 syntax, anchored, dot matches newline. Throws `bad_data`. */
export function compileLabelRegex(source: string): LabelRegex {
  const cached = cache.get(source);
  if (cached !== undefined) {
    // A map keeps the order of insertion: the first entry is the one used longest ago.
    cache.delete(source);
    cache.set(source, cached);
    return cached;
  }
  const compiled = compile(source);
  if (source.length <= CACHED_LENGTH_MAX) cache.set(source, compiled);
  if (cache.size > CACHE_ENTRIES_MAX) cache.delete(cache.keys().next().value as string);
  return compiled;
}

function compile(source: string): LabelRegex {
  if (source.length > SOURCE_LENGTH_MAX)
    throw bad(`expression is longer than ${SOURCE_LENGTH_MAX} characters`);
  return compileFastRegex(source) ?? compileAutomaton(source);
}

/** Any RE2 expression, in time linear in the value. Much slower than what `compileFastRegex` knows. */
export function compileAutomaton(source: string): LabelRegex {
  if (regexCost(source) > COST_MAX) throw bad('expression too large');
  const compiled = compileRe2(source);
  const prefix = literalPrefix(source);
  return {
    matches: (value) => value.startsWith(prefix) && compiled.testExact(value),
    setMatches: undefined,
    prefix,
  };
}

function compileRe2(source: string): RE2JS {
  try {
    return RE2JS.compile(source, RE2JS.DOTALL);
  } catch (cause) {
    if (cause instanceof VeronaError) throw cause;
    throw bad(goMessage((cause as Error).message), cause);
  }
}

/** Go's words: without RE2JS's flag and what `bad` says again, and with the rest of the expression, even if empty. */
function goMessage(message: string): string {
  const text = message.replace(/^error parsing regexp: /, '').replace('`(?s)', '`');
  return text === 'trailing backslash at end of expression' ? `${text}: \`\`` : text;
}

function bad(message: string, cause?: unknown): VeronaError {
  return new VeronaError('bad_data', `error parsing regexp: ${message}`, { cause });
}
