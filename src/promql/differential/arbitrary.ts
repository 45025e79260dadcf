import fc from 'fast-check';
import type { Case } from './case.ts';
import type { Dialect } from './dialect.ts';
import { generateCase } from './generate-case.ts';
import { simplerCases } from './shrink-case.ts';

/** Cases of a dialect for fast-check, which finds the simplest one that fails. */
export function arbitraryCase(dialect: Dialect): fc.Arbitrary<Case> {
  return new CaseArbitrary(dialect);
}

class CaseArbitrary extends fc.Arbitrary<Case> {
  readonly #dialect: Dialect;

  constructor(dialect: Dialect) {
    super();
    this.#dialect = dialect;
  }

  override generate(random: fc.Random): fc.Value<Case> {
    const chance = { int: (min: number, max: number) => random.nextInt(min, max) };
    return new fc.Value(generateCase(chance, this.#dialect), undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is Case {
    return typeof value === 'object' && value !== null && 'query' in value;
  }

  override shrink(value: Case): fc.Stream<fc.Value<Case>> {
    return fc.stream(simplerCases(value)).map((simpler) => new fc.Value(simpler, undefined));
  }
}
