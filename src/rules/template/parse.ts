import { unquote } from '../../promql/parser/string-literal.ts';
import type { Command, Operand, ParsedTemplate, Pipe, Place, TemplateNode } from './node.ts';
import { problemAt, type Token, tokensOf } from './token.ts';

const DEPTH_MAX = 100;

/** Reads a template of Go's text/template language. Throws `bad_data` with the line; `functions` are the names known. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): ParsedTemplate {
  const parser = new Parser(source, functions);
  const { body } = parser.block([]);
  return { source, body, defined: parser.defined };
}

interface Block {
  readonly body: TemplateNode[];
  /** The word that ended it: `end`, `else`, or the end of the text. */
  readonly end: string;
}

class Parser {
  readonly defined = new Map<string, readonly TemplateNode[]>();
  readonly #source: string;
  readonly #functions: ReadonlySet<string>;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;
  /** Variables in scope. */
  #variables: string[] = ['$'];

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#functions = functions;
    this.#tokens = tokensOf(source);
  }

  /** Nodes up to one of the words, which is taken with its action left open; without words up to the end of the text. */
  block(words: readonly string[]): Block {
    if (++this.#depth > DEPTH_MAX) throw this.#problem('nested too deeply');
    const scope = this.#variables.length;
    const body: TemplateNode[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === 'end') {
        if (words.length > 0) throw this.#problem('unexpected EOF', token);
        return this.#leave(body, '', scope);
      }
      if (token.kind === 'text') {
        if (token.text !== '') body.push({ kind: 'text', text: token.text });
        continue;
      }
      this.#spaces();
      const word = this.#peek().kind === 'identifier' ? this.#peek().text : '';
      if (word === 'end' || word === 'else') {
        if (!words.includes(word)) throw this.#problem(`unexpected {{${word}}}`);
        this.#take();
        return this.#leave(body, word, scope);
      }
      const node = this.#action(word);
      if (node) body.push(node);
    }
  }

  #leave(body: TemplateNode[], end: string, scope: number): Block {
    this.#depth--;
    this.#variables.length = scope;
    return { body, end };
  }

  #action(word: string): TemplateNode | undefined {
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        this.#take();
        return this.#control(word);
      case 'define':
        this.#take();
        this.#define();
        return undefined;
      case 'block':
      case 'template':
        this.#take();
        return this.#template(word === 'block');
      case 'break':
      case 'continue':
        this.#take();
        this.#close(word);
        return { kind: word };
    }
    const pipe = this.#pipe('command');
    this.#close('command');
    return { kind: 'action', pipe };
  }

  #control(kind: 'if' | 'with' | 'range'): TemplateNode {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind);
    this.#close(kind);
    const { body, end } = this.block(['end', 'else']);
    let otherwise: readonly TemplateNode[] = [];
    if (end === 'else') {
      this.#spaces();
      const next = this.#peek();
      if (kind !== 'range' && next.kind === 'identifier' && next.text === kind) {
        this.#take();
        otherwise = [this.#control(kind)];
        this.#variables.length = scope;
        return { kind, pipe, body, otherwise };
      }
      this.#close('else');
      otherwise = this.block(['end']).body;
    }
    this.#close('end');
    this.#variables.length = scope;
    return { kind, pipe, body, otherwise };
  }

  #define(): void {
    const name = this.#name('define');
    this.#close('define');
    const outside = this.#variables;
    this.#variables = ['$'];
    const { body } = this.block(['end']);
    this.#close('end');
    this.#variables = outside;
    this.defined.set(name, body);
  }

  #template(isBlock: boolean): TemplateNode {
    this.#spaces();
    const start = this.#peek().at;
    const name = this.#name('template');
    this.#spaces();
    const pipe = this.#peek().kind === 'close' ? undefined : this.#pipe('template');
    this.#close('template');
    if (isBlock) {
      const outside = this.#variables;
      this.#variables = ['$'];
      this.defined.set(name, this.block(['end']).body);
      this.#close('end');
      this.#variables = outside;
    }
    const argument = pipe ? ` ${pipe.commands.map((command) => command.place.text).join(' | ')}` : '';
    const text = `{{template ${JSON.stringify(name)}${argument}}}`;
    return { kind: 'template', name, pipe, place: { at: start, text } };
  }

  #name(context: string): string {
    this.#spaces();
    const token = this.#take();
    if (token.kind !== 'string') throw this.#unexpected(token, `${context} clause`);
    return unquote(token.text);
  }

  #pipe(context: string): Pipe {
    this.#spaces();
    const { variables, assigns } = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      this.#spaces();
      commands.push(this.#command(context));
      if (!this.#accept('|')) break;
    }
    for (const [i, { operands }] of commands.entries()) {
      const [first] = operands;
      if (i > 0 && ['literal', 'dot', 'nil'].includes(first.kind))
        throw this.#problem(`non executable command in pipeline stage ${i + 1}`);
    }
    if (!assigns) this.#variables.push(...variables);
    return { variables, assigns, commands };
  }

  #declaration(context: string): Pick<Pipe, 'variables' | 'assigns'> {
    const start = this.#next;
    const variables: string[] = [];
    for (;;) {
      this.#spaces();
      const token = this.#take();
      if (token.kind !== 'variable') break;
      variables.push(token.text);
      this.#spaces();
      const sign = this.#take();
      if (sign.text === ',' && context === 'range' && variables.length === 1) continue;
      if (sign.text === ':=' || sign.text === '=') return { variables, assigns: sign.text === '=' };
      break;
    }
    this.#next = start;
    return { variables: [], assigns: false };
  }

  #command(context: string): Command {
    const start = this.#peek().at;
    const operands: Operand[] = [];
    for (;;) {
      const operand = this.#operand();
      if (operand === undefined) break;
      operands.push(operand);
      if (!this.#spaces()) break;
    }
    if (operands.length === 0) {
      const token = this.#peek();
      if (token.kind === 'close') throw this.#problem(`missing value for ${context}`, token);
      throw this.#unexpected(token, context);
    }
    return { operands, place: this.#place(start, this.#peek().at) };
  }

  #operand(): Operand | undefined {
    const start = this.#peek();
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== 'field') return term;
    const at = term.kind === 'variable' ? this.#peek().at : start.at;
    const path: string[] = [];
    while (this.#peek().kind === 'field') path.push(this.#take().text.slice(1));
    const text = this.#source.slice(start.at, this.#peek().at);
    return { kind: 'fields', of: term, path, place: { at, text } };
  }

  #term(): Operand | undefined {
    const token = this.#peek();
    const place = { at: token.at, text: token.text };
    switch (token.kind) {
      case 'string':
        this.#take();
        return { kind: 'literal', value: unquote(token.text), place };
      case 'char':
        this.#take();
        return {
          kind: 'literal',
          value: BigInt(unquote(`"${token.text.slice(1, -1)}"`).codePointAt(0) ?? 0),
          place,
        };
      case 'number':
        this.#take();
        return { kind: 'literal', value: numberOf(token.text), place };
      case 'variable':
        this.#take();
        if (!this.#variables.includes(token.text))
          throw this.#problem(`undefined variable "${token.text}"`, token);
        return { kind: 'variable', name: token.text, place };
      case 'field':
        return { kind: 'dot', place: { ...place, text: '.' } };
      case 'identifier':
        this.#take();
        return this.#word(token, place);
      case 'punctuation':
        if (token.text === '.') {
          this.#take();
          return { kind: 'dot', place };
        }
        return token.text === '(' ? this.#parenthesized(token) : undefined;
      default:
        return undefined;
    }
  }

  #word({ text }: Token, place: Place): Operand {
    if (text === 'nil') return { kind: 'nil', place };
    if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true', place };
    if (!this.#functions.has(text)) throw this.#problem(`function "${text}" not defined`);
    return { kind: 'function', name: text, place };
  }

  #parenthesized(open: Token): Operand {
    if (++this.#depth > DEPTH_MAX) throw this.#problem('nested too deeply');
    this.#take();
    const pipe = this.#pipe('parenthesized pipeline');
    this.#spaces();
    if (!this.#accept(')')) throw this.#problem('unclosed left paren');
    this.#depth--;
    return { kind: 'pipe', pipe, place: this.#place(open.at, this.#peek().at) };
  }

  #close(context: string): void {
    this.#spaces();
    const token = this.#take();
    if (token.kind !== 'close') throw this.#unexpected(token, context);
  }

  #accept(text: string): boolean {
    this.#spaces();
    if (this.#peek().kind !== 'punctuation' || this.#peek().text !== text) return false;
    this.#take();
    return true;
  }

  #spaces(): boolean {
    if (this.#peek().kind !== 'space') return false;
    this.#next++;
    return true;
  }

  #peek(): Token {
    return this.#tokens[this.#next];
  }

  #take(): Token {
    const token = this.#tokens[this.#next];
    if (token.kind !== 'end') this.#next++;
    return token;
  }

  #place(start: number, end: number): Place {
    return { at: start, text: this.#source.slice(start, end).trim() };
  }

  #unexpected(token: Token, context: string) {
    const text = token.kind === 'end' ? 'EOF' : `<${token.kind === 'close' ? '}}' : token.text}>`;
    return this.#problem(`unexpected ${text} in ${context}`, token);
  }

  #problem(message: string, token = this.#peek()) {
    return problemAt(this.#source, token.at, message);
  }
}

function numberOf(text: string): bigint | number {
  const digits = text.replaceAll('_', '');
  if (/^[+-]?(\d+|0[xXbBoO][\da-fA-F]+)$/.test(digits)) {
    const sign = digits.startsWith('-') ? -1n : 1n;
    return sign * BigInt(digits.replace(/^[+-]/, '').replace(/^0+(?=\d)/, ''));
  }
  const value = Number(digits);
  // An integer in another form is one for whoever wants one.
  return value;
}
