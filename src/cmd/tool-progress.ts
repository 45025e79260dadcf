import type { BucketTool } from './bucket-tool.ts';
import { Progress } from './progress.ts';

/** How far a number of things are, on standard error; `weights` are their bytes. */
export function newProgress(
  { counts, clock }: BucketTool,
  what: string,
  weights: readonly number[],
): Progress {
  const out = {
    isTerminal: process.stderr.isTTY === true,
    write: (text: string) => void process.stderr.write(text),
  };
  return new Progress(what, weights, { counts, clock, out });
}

/** Does something small to one thing after the other, with their names, and shows how far that is. */
export async function forEachNamed<T>(
  tool: BucketTool,
  what: string,
  things: readonly (readonly [name: string, thing: T])[],
  run: (thing: T) => Promise<void>,
): Promise<void> {
  const progress = newProgress(
    tool,
    what,
    things.map(() => 0),
  );
  try {
    for (const [name, thing] of things) {
      progress.begin(name);
      await run(thing);
      progress.end();
    }
  } finally {
    progress.close();
  }
}
