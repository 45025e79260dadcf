import { quoteChar, quote as quoteText } from './go-text.ts';
import type { Problems } from './problems.ts';
import { isAlpha, isAlphaNumeric, isDigit, scanNumberOrDuration } from './scan-number.ts';
import { scanString } from './string-literal.ts';
import { DURATION_WORDS, keywordOf, type Token } from './token.ts';

/**
 * Cuts a query into tokens, one at a time so that the first thing wrong is the first thing reported. What a
 * character means depends on where it stands: inside braces keywords are plain names, inside brackets a colon is
 * punctuation and only the words of duration expressions exist.
 */
export class Lexer {
  readonly #text: string;
  readonly #problems: Problems;
  #at = 0;
  #parenDepth = 0;
  #inBraces = false;
  #inBrackets = false;
  /** Inside brackets, before the first number ends: Prometheus words its complaints differently there. */
  #beforeDuration = false;
  /** A number was seen at the beginning of any brackets so far; Prometheus never forgets it. */
  #sawDuration = false;
  #sawColon = false;
  #failed = false;

  constructor(problems: Problems) {
    this.#text = problems.text;
    this.#problems = problems;
  }

  /** The next token; `eof` for ever at the end, and behind what is no token, which stops parsing. */
  next(): Token {
    if (this.#failed) return { type: 'eof', text: '', start: this.#at, end: this.#at };
    this.#skipBlank();
    if (this.#inBraces) return this.#insideBraces();
    if (this.#inBrackets && this.#beforeDuration) return this.#insideBrackets();
    return this.#outside();
  }

  #skipBlank(): void {
    const text = this.#text;
    const comments = !(this.#inBrackets && this.#beforeDuration);
    for (;;) {
      const char = text[this.#at];
      if (char === ' ' || char === '\t' || char === '\n' || char === '\r') this.#at++;
      else if (char === '#' && comments) {
        while (this.#at < text.length && text[this.#at] !== '\n' && text[this.#at] !== '\r') this.#at++;
      } else return;
    }
  }

  #insideBraces(): Token {
    const text = this.#text;
    const char = text[this.#at];
    if (char === undefined) return this.#fail('unexpected end of input inside braces');
    if (isAlpha(text, this.#at)) return this.#name('identifier', (at) => isAlphaNumeric(text, at));
    const two = text.slice(this.#at, this.#at + 2);
    if (two === '=~' || two === '!=' || two === '!~') return this.#token(two, 2);
    if (char === '=' || char === ',') return this.#token(char, 1);
    if (isQuote(char)) return this.#string();
    if (char === '}') {
      this.#inBraces = false;
      return this.#token('}', 1);
    }
    if (char === '{') return this.#fail("unexpected left brace '{'");
    if (char === '!')
      return this.#fail(`unexpected character after '!' inside braces: ${this.#quoteAt(this.#at + 1)}`);
    return this.#fail(`unexpected character inside braces: ${this.#quoteAt(this.#at)}`);
  }

  #insideBrackets(): Token {
    const text = this.#text;
    const char = text[this.#at];
    if (char === undefined) return this.#fail('unexpected end of input in duration expression');
    if (startsNumber(text, this.#at)) {
      this.#beforeDuration = false;
      this.#sawDuration = true;
      return this.#number();
    }
    if (isAlpha(text, this.#at))
      return this.#durationWord(`unexpected character in duration expression: ${this.#quoteAt(this.#at)}`);
    if (char === ':' && (!this.#sawDuration || this.#sawColon)) {
      this.#at++;
      return this.#fail(
        this.#sawColon
          ? 'unexpected repeated colon in duration expression'
          : 'unexpected colon before duration in duration expression',
      );
    }
    if ('+-*/%^,:()]'.includes(char)) return this.#symbol(char);
    return this.#fail(`unexpected character in duration expression: ${this.#quoteAt(this.#at)}`);
  }

  #outside(): Token {
    const text = this.#text;
    const char = text[this.#at];
    if (char === undefined) return this.#end();
    if (startsNumber(text, this.#at)) return this.#number();
    if (isQuote(char)) return this.#string();
    if (isAlpha(text, this.#at) || char === ':')
      return this.#inBrackets ? this.#wordInBrackets() : this.#word();
    const two = text.slice(this.#at, this.#at + 2);
    if (TWO_CHARACTERS.has(two)) return this.#token(two, 2);
    if (two === '=~') return this.#fail("unexpected character after '=': '~'");
    if (char === '!') return this.#fail(`unexpected character after '!': ${this.#quoteAt(this.#at + 1)}`);
    if (char === '[') return this.#openBracket();
    if (char === '{') {
      this.#inBraces = true;
      return this.#token('{', 1);
    }
    if (char === ']' && !this.#inBrackets) return this.#fail("unexpected right bracket ']'");
    if (ONE_CHARACTER.includes(char)) return this.#symbol(char);
    return this.#fail(`unexpected character: ${this.#quoteAt(this.#at)}`);
  }

  #end(): Token {
    if (this.#parenDepth !== 0) return this.#fail('unclosed left parenthesis');
    if (this.#inBrackets) return this.#fail('unclosed left bracket');
    return this.#token('eof', 0);
  }

  #symbol(char: string): Token {
    if (char === '(') this.#parenDepth++;
    if (char === ')' && this.#parenDepth-- === 0) {
      this.#at++;
      return this.#fail("unexpected right parenthesis ')'");
    }
    if (char === ':') this.#sawColon = true;
    if (char === ']') this.#inBrackets = false;
    return this.#token(char, 1);
  }

  #openBracket(): Token {
    if (this.#inBrackets) return this.#fail("unexpected left bracket '['");
    this.#inBrackets = true;
    this.#beforeDuration = true;
    this.#sawColon = false;
    return this.#token('[', 1);
  }

  #word(): Token {
    const text = this.#text;
    const word = text.slice(
      this.#at,
      this.#wordEnd((at) => isAlphaNumeric(text, at) || text[at] === ':'),
    );
    const keyword = keywordOf(word);
    if (keyword !== undefined && !(keyword.startsWith('fill') && !this.#parenFollows(word.length)))
      return this.#token(keyword, word.length);
    const lower = word.toLowerCase();
    if (lower === 'inf' || lower === 'nan') return this.#token('number', word.length);
    return this.#token(word.includes(':') ? 'metric identifier' : 'identifier', word.length);
  }

  #wordInBrackets(): Token {
    if (this.#text[this.#at] === ':')
      return this.#sawColon ? this.#fail("unexpected colon ':'") : this.#symbol(':');
    return this.#durationWord(`unexpected character: ${this.#quoteAt(this.#at)}, expected ':'`);
  }

  #durationWord(complaint: string): Token {
    const word = this.#text.slice(
      this.#at,
      this.#wordEnd((at) => isAlpha(this.#text, at)),
    );
    const lower = word.toLowerCase();
    if (!DURATION_WORDS.has(lower)) return this.#fail(complaint);
    return this.#token(lower, word.length);
  }

  /** `fill` and its kin are keywords only before a parenthesis, so that metrics may have these names. */
  #parenFollows(length: number): boolean {
    let at = this.#at + length;
    while (' \t\r\n'.includes(this.#text[at] ?? '.')) at++;
    return this.#text[at] === '(';
  }

  #number(): Token {
    const scan = scanNumberOrDuration(this.#text, this.#at);
    if (scan.kind !== 'bad') return this.#token(scan.kind, scan.end - this.#at);
    return this.#fail(`bad number or duration syntax: ${quoteText(this.#text.slice(this.#at, scan.end))}`);
  }

  #string(): Token {
    const scan = scanString(this.#text, this.#at);
    return 'end' in scan ? this.#token('string', scan.end - this.#at) : this.#fail(scan.problem);
  }

  #name(type: string, belongs: (at: number) => boolean): Token {
    return this.#token(type, this.#wordEnd(belongs) - this.#at);
  }

  #wordEnd(belongs: (at: number) => boolean): number {
    let at = this.#at;
    while (at < this.#text.length && belongs(at)) at++;
    return at;
  }

  #token(type: string, length: number): Token {
    const start = this.#at;
    this.#at += length;
    return { type, text: this.#text.slice(start, this.#at), start, end: this.#at };
  }

  #fail(message: string): never {
    this.#failed = true;
    return this.#problems.stop({ start: this.#at, end: this.#text.length }, message);
  }

  #quoteAt(at: number): string {
    const code = this.#text.codePointAt(at);
    // The end of the text is rune -1 to Go, which prints as the replacement character.
    return quoteChar(code === undefined ? '\ufffd' : String.fromCodePoint(code));
  }
}

const TWO_CHARACTERS: ReadonlySet<string> = new Set(['==', '!=', '<=', '>=', '</', '>/']);
const ONE_CHARACTER = ',*/%+-^=<>()]@';

function startsNumber(text: string, at: number): boolean {
  return isDigit(text, at) || (text[at] === '.' && isDigit(text, at + 1));
}

function isQuote(char: string): boolean {
  return char === '"' || char === "'" || char === '`';
}
