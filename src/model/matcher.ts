import { compileLabelRegex, type LabelRegex } from './regex.ts';

export type MatchType = '=' | '!=' | '=~' | '!~';

/** A condition on one label. An absent label has the empty value. Regular expressions are RE2, anchored at both ends. */
export class Matcher {
  readonly type: MatchType;
  readonly name: string;
  readonly value: string;
  readonly #regex: LabelRegex | undefined;

  /** Throws `bad_data` when the value of a regex matcher is not a valid RE2 expression. */
  constructor(type: MatchType, name: string, value: string) {
    this.type = type;
    this.name = name;
    this.value = value;
    this.#regex = type === '=~' || type === '!~' ? compileLabelRegex(value) : undefined;
  }

  matches(value: string): boolean {
    switch (this.type) {
      case '=':
        return value === this.value;
      case '!=':
        return value !== this.value;
      case '=~':
        return this.#regex!.matches(value);
      case '!~':
        return !this.#regex!.matches(value);
    }
  }

  /** Whether a series without the label is selected. */
  get matchesEmpty(): boolean {
    return this.matches('');
  }

  /** The values a `=` or `=~` matcher can accept, when they are few and known (`a|b|c`); else undefined. */
  get setMatches(): readonly string[] | undefined {
    if (this.type === '=') return [this.value];
    return this.type === '=~' ? this.#regex!.setMatches : undefined;
  }

  /** A prefix that every accepted value of a `=~` matcher has; empty when unknown. */
  get prefix(): string {
    return this.type === '=~' ? this.#regex!.prefix : '';
  }

  toString(): string {
    return `${this.name}${this.type}${JSON.stringify(this.value)}`;
  }
}

/** A text that two matchers share only when they are equal, also when several are put one after the other. */
export function matcherKey({ type, name, value }: Pick<Matcher, 'type' | 'name' | 'value'>): string {
  return `${type}${name.length}:${name}${value.length}:${value}`;
}
