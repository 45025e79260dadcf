/** Where a generator takes its decisions from; both ends are possible. */
export interface Chance {
  int(min: number, max: number): number;
}

export function pick<T>(chance: Chance, from: readonly T[]): T {
  return from[chance.int(0, from.length - 1)];
}

/** True in `percent` of all cases. */
export function often(chance: Chance, percent: number): boolean {
  return chance.int(1, 100) <= percent;
}

/** Some of them, in their order. */
export function some<T>(chance: Chance, from: readonly T[], percent: number): T[] {
  return from.filter(() => often(chance, percent));
}

/** One of several, each as often as its weight says. */
export function weighted<T>(chance: Chance, choices: readonly (readonly [weight: number, value: T])[]): T {
  const total = choices.reduce((sum, [weight]) => sum + weight, 0);
  let at = chance.int(1, total);
  for (const [weight, value] of choices) {
    at -= weight;
    if (at <= 0) return value;
  }
  return choices[0][1];
}
