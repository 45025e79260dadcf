import type { Disk } from '../platform/disk.ts';

const PATTERN = /[*?[\\]/;
/** Files that one pattern may find. */
const FILES_MAX = 10_000;

/** The files that are there of those that a path means, in order; `*`, `?` and `[a-z]` in its parts stand for many. */
export async function findFiles(disk: Disk, pattern: string): Promise<string[]> {
  const parts = pattern.split('/');
  let found = [pattern.startsWith('/') ? '' : '.'];
  for (const part of parts.filter((name) => name !== '' && name !== '.')) {
    const next: string[] = [];
    for (const dir of found) {
      if (!PATTERN.test(part)) next.push(`${dir}/${part}`);
      else
        for (const { name } of await disk.list(dir === '' ? '/' : dir))
          if (next.length < FILES_MAX && matchesPattern(part, name)) next.push(`${dir}/${name}`);
    }
    found = next;
  }
  const files: string[] = [];
  for (const path of found) {
    const stat = await disk.stat(path);
    if (stat && !stat.isDirectory) files.push(path.replace(/^\.\//, ''));
  }
  return files.sort();
}

/** Whether a name matches a pattern of Go's `filepath.Match`, without separators. */
export function matchesPattern(pattern: string, name: string): boolean {
  // Positions in the pattern that what was read of the name may stand at.
  let states = new Set([0]);
  const skipStars = (set: Set<number>) => {
    for (const at of set) if (pattern[at] === '*') set.add(at + 1);
    return set;
  };
  skipStars(states);
  for (const char of name) {
    const next = new Set<number>();
    for (const at of states) {
      if (pattern[at] === '*') next.add(at);
      else {
        const end = stepOver(pattern, at, char);
        if (end !== undefined) next.add(end);
      }
    }
    states = skipStars(next);
  }
  return states.has(pattern.length);
}

/** Where the pattern goes on when its part at `at` takes `char`; undefined when it does not. */
function stepOver(pattern: string, at: number, char: string): number | undefined {
  if (at >= pattern.length) return undefined;
  if (pattern[at] === '?') return at + 1;
  if (pattern[at] === '[') {
    const close = pattern.indexOf(']', at + 2);
    if (close === -1) return undefined;
    return inClass(pattern.slice(at + 1, close), char) ? close + 1 : undefined;
  }
  const escaped = pattern[at] === '\\' ? 1 : 0;
  return pattern[at + escaped] === char ? at + escaped + 1 : undefined;
}

function inClass(text: string, char: string): boolean {
  const negated = text.startsWith('^');
  const set = negated ? text.slice(1) : text;
  let isIn = false;
  for (let i = 0; i < set.length; i++) {
    const isRange = set[i + 1] === '-' && i + 2 < set.length;
    if (isRange ? char >= set[i] && char <= set[i + 2] : char === set[i]) isIn = true;
    if (isRange) i += 2;
  }
  return isIn !== negated;
}
