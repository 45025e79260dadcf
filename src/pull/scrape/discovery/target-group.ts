import type { Labels } from '../../../model/labels.ts';

/** Targets that were found together. */
export interface TargetGroup {
  /** Tells groups of one discovery apart: a file, a URL, an object. */
  readonly source: string;
  /** Each with its `__address__`, mostly. */
  readonly targets: readonly Labels[];
  /** Of all of them, where a target has none of its own. */
  readonly labels: Labels;
}

/** Finds targets and goes on looking until it is stopped. */
export interface Discovery {
  /** Begins to look; `found` is called with all groups whenever they may have changed. */
  start(found: (groups: readonly TargetGroup[]) => void): void;
  stop(): void;
}
