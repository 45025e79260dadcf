import { VeronaError } from '../../model/errors.ts';

/** A token inside `{{ … }}`, or the text between actions. */
export interface Token {
  readonly kind:
    | 'text'
    | 'open'
    | 'close'
    | 'identifier'
    | 'variable'
    | 'field'
    | 'string'
    | 'number'
    | 'char'
    | 'punctuation'
    | 'space'
    | 'end';
  readonly text: string;
  /** Where it begins in the source, UTF-16 units. */
  readonly at: number;
}

const LENGTH_MAX = 65_536;
const PATTERNS: readonly (readonly [Token['kind'], RegExp])[] = [
  ['space', /[ \t\r\n]+/y],
  ['string', /"(?:\\.|[^"\\\n])*"|`[^`]*`/y],
  ['char', /'(?:\\.|[^'\\\n])+'/y],
  ['variable', /\$[\p{L}\p{Nd}_]*/uy],
  ['field', /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  [
    'number',
    /[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)/y,
  ],
  ['identifier', /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ['punctuation', /:=|[|(),=.]/y],
];

/** Splits a template as Go's text/template does; `{{-` and `-}}` have taken the spaces around them. Throws `bad_data`. */
export function tokensOf(source: string): Token[] {
  if (source.length > LENGTH_MAX)
    throw new VeronaError('bad_data', `template is longer than ${LENGTH_MAX} characters`);
  const tokens: Token[] = [];
  let at = 0;
  let trims = false;
  const push = (kind: Token['kind'], text: string) => tokens.push({ kind, text, at });
  for (;;) {
    const open = source.indexOf('{{', at);
    const raw = source.slice(at, open === -1 ? source.length : open);
    const trimsLeft = open !== -1 && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4));
    const left = trims ? raw.replace(/^[ \t\r\n]+/, '') : raw;
    push('text', trimsLeft ? left.replace(/[ \t\r\n]+$/, '') : left);
    if (open === -1) break;
    at = open + (trimsLeft ? 3 : 2);
    const comment = /^[ \t\r\n]*\/\*[\s\S]*?\*\/[ \t\r\n]*(-?)\}\}/.exec(source.slice(at));
    if (comment) {
      trims = comment[1] === '-';
      at += comment[0].length;
      continue;
    }
    push('open', '');
    for (;;) {
      const close = /^(?:[ \t\r\n]+-)?\}\}/.exec(source.slice(at, at + LENGTH_MAX));
      if (close) {
        trims = close[0].length > 2;
        push('close', '');
        at += close[0].length;
        break;
      }
      const [kind, text] = nextToken(source, at);
      push(kind, text);
      at += text.length;
    }
  }
  tokens.push({ kind: 'end', text: '', at: source.length });
  return tokens;
}

function nextToken(source: string, at: number): [Token['kind'], string] {
  if (at >= source.length) throw problemAt(source, at, 'unclosed action');
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match) return [kind, match[0]];
  }
  throw problemAt(source, at, `unexpected ${JSON.stringify(source[at])} in command`);
}

/** A mistake of the template's writer, with its line. */
export function problemAt(source: string, at: number, message: string): VeronaError {
  return new VeronaError('bad_data', `${source.slice(0, at).split('\n').length}: ${message}`);
}
