import { RE2JS } from 're2js';
import { VeronaError } from './errors.ts';

/** An anchored RE2 expression over label values, with what can be known without running it. */
export interface LabelRegex {
  matches(value: string): boolean;
  /** All accepted values, when finite and few. */
  readonly setMatches: readonly string[] | undefined;
  readonly prefix: string;
}

/** Compiles a label regex as Prometheus does: RE2 syntax, anchored, dot matches newline. Throws `bad_data`. */
export function compileLabelRegex(source: string): LabelRegex {
  try {
    const compiled = RE2JS.compile(`^(?s:${source})$`);
    return { matches: (value) => compiled.matches(value), setMatches: undefined, prefix: '' };
  } catch (cause) {
    throw new VeronaError('bad_data', `error parsing regexp: ${(cause as Error).message}`, { cause });
  }
}
