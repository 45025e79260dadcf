/** Most alternatives an expression may unfold to here. */
const SEQUENCES_MAX = 65_536;
/** Most alternatives tried one by one because some have gaps; beyond, an automaton is faster. */
const GAP_SEQUENCES_MAX = 64;
/** Most characters all alternatives together may have. */
const UNFOLDED_LENGTH_MAX = 262_144;
const DEPTH_MAX = 50;
const CLASS_SIZE_MAX = 64;

/** See `LabelRegex`, which it is. */
export interface FastRegex {
  matches(value: string): boolean;
  readonly setMatches: readonly string[] | undefined;
  readonly prefix: string;
}

/** Text, or a gap that takes any characters: at least none (`.*`) or at least one (`.+`). */
type Part = string | { readonly atLeast: 0 | 1 };
/** What one alternative accepts, left to right: no two texts and no two gaps adjacent. */
type Sequence = readonly Part[];

/**
 * An expression made only of text, groups, alternatives, small character classes, `?`, `.*` and `.+`: answered by
 * comparing strings. Undefined for everything else, also for what may be malformed. Label values from the field are
 * nearly always of this kind: 0.02 to 0.15 µs per value, where an automaton takes 0.2 to 1.3.
 */
export function compileFastRegex(source: string): FastRegex | undefined {
  try {
    return matcherOf(new Unfolder(source).unfold());
  } catch (error) {
    if (error instanceof NotFast) return undefined;
    throw error;
  }
}

/** Text that every accepted value of any expression starts with, as far as can be told without parsing it. */
export function literalPrefix(source: string): string {
  if (source.includes('|')) return '';
  const text = /^[^\\.+*?()|[\]{}^$]*/u.exec(source)?.[0] ?? '';
  // A quantifier takes the last character away from the prefix.
  return '*?{'.includes(source[text.length] ?? '.') ? [...text].slice(0, -1).join('') : text;
}

class NotFast extends Error {}

/** Reads an expression into the list of its alternatives. Leaves by `NotFast`. */
class Unfolder {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  unfold(): readonly Sequence[] {
    const sequences = this.#alternatives();
    if (this.#at < this.#source.length) throw new NotFast();
    return sequences;
  }

  #alternatives(): Sequence[] {
    if (++this.#depth > DEPTH_MAX) throw new NotFast();
    const sequences = this.#concatenation();
    while (this.#accept('|')) for (const sequence of this.#concatenation()) sequences.push(sequence);
    if (sequences.length > SEQUENCES_MAX) throw new NotFast();
    this.#depth--;
    return sequences;
  }

  #concatenation(): Sequence[] {
    let sequences: Sequence[] = [[]];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]))
      sequences = product(sequences, this.#quantified());
    return sequences;
  }

  #quantified(): readonly Sequence[] {
    if (this.#accept('.')) return [[this.#gap()]];
    const sequences = this.#atom();
    if (!this.#accept('?')) {
      this.#refuse('*+{');
      return sequences;
    }
    this.#accept('?'); // Lazy or not makes no difference to whether all of a value matches.
    this.#refuse('*+?{');
    return [...sequences, []];
  }

  #gap(): Part {
    const atLeast = this.#accept('*') ? 0 : this.#accept('+') ? 1 : undefined;
    if (atLeast === undefined) throw new NotFast();
    this.#accept('?');
    this.#refuse('*+?{');
    return { atLeast };
  }

  #atom(): readonly Sequence[] {
    if (this.#accept('(')) return this.#group();
    if (this.#accept('[')) return this.#class();
    return [[this.#run() ?? this.#character(']')]];
  }

  /** Plain characters as far as they go; not the last one when a quantifier is about it. */
  #run(): string | undefined {
    PLAIN.lastIndex = this.#at;
    let text = PLAIN.exec(this.#source)?.[0] ?? '';
    if ('?*+{'.includes(this.#source[this.#at + text.length] ?? '.'))
      text = text.slice(0, lastCharacterOf(text));
    this.#at += text.length;
    return text === '' ? undefined : text;
  }

  #group(): Sequence[] {
    if (this.#accept('?') && !this.#accept(':')) throw new NotFast();
    const sequences = this.#alternatives();
    if (!this.#accept(')')) throw new NotFast();
    return sequences;
  }

  /** `[abc]`, `[a-c]`; neither negated nor named. */
  #class(): Sequence[] {
    this.#refuse('^]');
    const chars = new Set<string>();
    while (!this.#accept(']')) {
      this.#refuse('-');
      const first = this.#character('[');
      const last = this.#accept('-') ? this.#character('[]-') : first;
      addRange(chars, first.codePointAt(0) as number, last.codePointAt(0) as number);
    }
    return [...chars].map((char) => [char]);
  }

  /** One plain or escaped character; the special ones outside of classes, and those named, are refused. */
  #character(refused: string): string {
    const code = this.#source.codePointAt(this.#at);
    if (code === undefined) throw new NotFast();
    const char = String.fromCodePoint(code);
    if (char === '\\') return this.#escaped();
    if (refused.includes(char) || (refused === ']' && '.+*?()|[]{}^$'.includes(char))) throw new NotFast();
    this.#at += char.length;
    return char;
  }

  #escaped(): string {
    const char = this.#source[this.#at + 1] ?? '';
    if (!/^[!-/:-@[-`{-~]$/.test(char) || char === '_') throw new NotFast();
    this.#at += 2;
    return char;
  }

  #accept(char: string): boolean {
    if (this.#source[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #refuse(chars: string): void {
    if (this.#at < this.#source.length && chars.includes(this.#source[this.#at])) throw new NotFast();
  }
}

const PLAIN = /[^\\.+*?()|[\]{}^$]+/uy;

/** Where the last character of a text begins. */
function lastCharacterOf(text: string): number {
  const code = text.codePointAt(text.length - 2);
  return text.length - (code !== undefined && code > 0xffff ? 2 : 1);
}

function addRange(chars: Set<string>, first: number, last: number): void {
  if (last < first || last - first >= CLASS_SIZE_MAX) throw new NotFast();
  for (let code = first; code <= last; code++) chars.add(String.fromCodePoint(code));
  if (chars.size > CLASS_SIZE_MAX) throw new NotFast();
}

function product(left: readonly Sequence[], right: readonly Sequence[]): Sequence[] {
  if (left.length * right.length > SEQUENCES_MAX) throw new NotFast();
  const joined = left.flatMap((a) => right.map((b) => join(a, b)));
  let length = 0;
  for (const sequence of joined)
    for (const part of sequence) length += typeof part === 'string' ? part.length : 1;
  if (length > UNFOLDED_LENGTH_MAX) throw new NotFast();
  return joined;
}

function join(a: Sequence, b: Sequence): Sequence {
  const last = a.at(-1);
  const [first] = b;
  if (last === undefined || first === undefined) return a.length === 0 ? b : a;
  if (typeof last === 'string' && typeof first === 'string')
    return [...a.slice(0, -1), last + first, ...b.slice(1)];
  if (typeof last === 'string' || typeof first === 'string') return [...a, ...b];
  // Two gaps that each want a character want two together, which a gap cannot say.
  if (last.atLeast + first.atLeast > 1) throw new NotFast();
  return [...a.slice(0, -1), last.atLeast === 1 ? last : first, ...b.slice(1)];
}

function matcherOf(sequences: readonly Sequence[]): FastRegex {
  if (sequences.every(isText)) {
    const values = new Set(sequences.map((sequence) => (sequence[0] as string | undefined) ?? ''));
    const setMatches = [...values];
    return { matches: (value) => values.has(value), setMatches, prefix: commonPrefix(setMatches) };
  }
  if (sequences.length > GAP_SEQUENCES_MAX) throw new NotFast();
  const heads = sequences.map((sequence) => (typeof sequence[0] === 'string' ? sequence[0] : ''));
  const matchers = sequences.map(sequenceMatcher);
  const matches =
    matchers.length === 1 ? matchers[0] : (value: string) => matchers.some((matcher) => matcher(value));
  return { matches, setMatches: undefined, prefix: commonPrefix(heads) };
}

function isText(sequence: Sequence): boolean {
  return sequence.length === 0 || (sequence.length === 1 && typeof sequence[0] === 'string');
}

/** `head gap text gap … tail`: each text between gaps is looked for from the left, which finds a match if there is one. */
function sequenceMatcher(sequence: Sequence): (value: string) => boolean {
  const texts = ['', ...sequence.filter((part) => typeof part === 'string'), ''];
  const gaps = sequence.filter((part) => typeof part !== 'string').map(({ atLeast }) => atLeast);
  const head = typeof sequence[0] === 'string' ? sequence[0] : '';
  const lastPart = sequence.at(-1);
  const tail = typeof lastPart === 'string' ? lastPart : '';
  if (gaps.length === 0) return (value) => value === head;
  const middle = texts.slice(head === '' ? 1 : 2, tail === '' ? -1 : -2);
  const lengthMin = texts.join('').length + gaps.reduce<number>((sum, gap) => sum + gap, 0);
  return (value) => {
    if (value.length < lengthMin || !value.startsWith(head) || !value.endsWith(tail)) return false;
    let at = head.length;
    for (let i = 0; i < middle.length; i++) {
      const found = value.indexOf(middle[i], at + gaps[i]);
      if (found === -1) return false;
      at = found + middle[i].length;
    }
    return at + gaps[gaps.length - 1] <= value.length - tail.length;
  };
}

function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0] ?? '';
  for (const text of texts) while (!text.startsWith(prefix)) prefix = prefix.slice(0, -1);
  // Half of a surrogate pair is no prefix of anything in UTF-8.
  return prefix.isWellFormed() ? prefix : prefix.slice(0, -1);
}
