/**
 * How many parts an expression unfolds to when `x{n}` is written out n times: about the size of its automaton.
 * Never fails; of text that is no expression the answer means nothing.
 */
export function regexCost(source: string): number {
  const outer: number[] = [];
  let cost = 0;
  let last = 0;
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (char === '(') {
      outer.push(cost);
      cost = 0;
    } else if (char === ')') {
      last = cost + 1;
      cost = (outer.pop() ?? 0) + last;
    } else if (char === '{') {
      REPETITION.lastIndex = i;
      const match = REPETITION.exec(source);
      if (match === null) continue;
      const written = Math.max(Number(match[1]), Number(match[2] || 0));
      // More is refused by RE2 before it unfolds anything.
      const times = written > REPETITIONS_MAX ? 1 : written;
      cost += last * Math.max(times - 1, 0);
      last *= Math.max(times, 1);
      i += match[0].length - 1;
    } else {
      if (char === '\\') i++;
      else if (char === '[') i = endOfClass(source, i);
      last = 1;
      cost++;
    }
  }
  return cost;
}

/** RE2's own limit on one repetition. */
const REPETITIONS_MAX = 1_000;
const REPETITION = /\{(\d+)(?:,(\d*))?\}/y;

/** Where the bracket expression that opens at `start` closes, or the end of the text. */
function endOfClass(source: string, start: number): number {
  let i = start + 1;
  if (source[i] === '^') i++;
  // A bracket right behind the opening stands for itself.
  if (source[i] === ']') i++;
  for (; i < source.length && source[i] !== ']'; i++) if (source[i] === '\\') i++;
  return i;
}
