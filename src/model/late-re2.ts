import type { RE2JS as Library } from 're2js';
import { VeronaError } from './errors.ts';

/**
 * Takes the place of `re2js` in the module `verona/promql`: the library is half of all the code there is and most expressions
 * do without it, so it comes when the first one needs it.
 */
let loaded: typeof Library | undefined;

/** @internal Not in the declarations of the module. */
export const RE2JS = {
  get DOTALL(): number {
    return library().DOTALL;
  },
  compile(source: string, flags?: number): Library {
    return library().compile(source, flags);
  },
};

/** Resolves when every regular expression can be compiled. */
export async function loadRegex(): Promise<void> {
  loaded ??= (await import('re2js')).RE2JS;
}

/** Whether an error says that `loadRegex` must come first. */
export function wantsRegex(error: unknown): boolean {
  return loaded === undefined && error instanceof VeronaError && error.code === 'unavailable';
}

function library(): typeof Library {
  if (loaded === undefined)
    throw new VeronaError(
      'unavailable',
      'the library for this regular expression is not loaded; await loadRegex() before parsing it yourself',
    );
  return loaded;
}
