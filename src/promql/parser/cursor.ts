import { childrenOf, type Duration, type Expr, type Span } from './ast.ts';
import { Lexer } from './lexer.ts';
import type { Features, ParseLimits } from './options.ts';
import { Problems } from './problems.ts';
import { describeToken, type Token } from './token.ts';

/** What is being parsed, for the message about a token that does not belong there. */
export interface Context {
  readonly inside: string;
  readonly expected?: string;
}

const CLOSING: ReadonlySet<string> = new Set(['number', 'duration', ')', '}', ']']);

/** The state of one parse: the tokens with one of lookahead, the problems found, and the bounds kept. */
export class Cursor {
  readonly problems: Problems;
  readonly features: Features;
  readonly #limits: ParseLimits;
  readonly #lexer: Lexer;
  readonly #contexts: Context[] = [];
  readonly #heights = new Map<Span, number>();
  #ahead: Token | undefined;
  #depth = 0;
  #nodes = 0;
  #end = 0;
  #lastClosing = 0;
  #isOverLimit = false;

  constructor(text: string, features: Features, limits: ParseLimits) {
    this.problems = new Problems(text);
    this.features = features;
    this.#limits = limits;
    this.#lexer = new Lexer(this.problems);
  }

  /** The next token, not yet taken. */
  peek(): Token {
    if (this.#ahead === undefined) {
      this.#ahead = this.#lexer.next();
      if (CLOSING.has(this.#ahead.type)) this.#lastClosing = this.#ahead.end;
    }
    return this.#ahead;
  }

  /** Where the last token seen ended that can end an expression; Prometheus takes places from there. */
  get lastClosing(): number {
    return this.#lastClosing;
  }

  /**
   * Looks at the rest of the text, after parsing has stopped: what cannot even be cut into tokens is one more problem. Not
   * when parsing stopped at a limit.
   */
  drain(): void {
    if (this.#isOverLimit) return;
    this.problems.attempt(() => {
      while (this.take().type !== 'eof');
    });
  }

  take(): Token {
    const token = this.peek();
    this.#ahead = undefined;
    this.#end = token.end;
    return token;
  }

  at(...types: readonly string[]): boolean {
    return types.includes(this.peek().type);
  }

  /** Takes the next token when it is of this type. */
  accept(type: string): Token | undefined {
    return this.peek().type === type ? this.take() : undefined;
  }

  /** Takes a token of this type or stops. */
  expect(type: string, context?: Context): Token {
    return this.accept(type) ?? this.unexpected(context);
  }

  /** Where the last token taken ended. */
  get end(): number {
    return this.#end;
  }

  /** Stops at the next token, in the words of the given or else the innermost context. */
  unexpected(context: Context | undefined = this.#contexts.at(-1)): never {
    this.#noteUnexpected(context);
    return this.problems.leave();
  }

  /**
   * Notes that the next token does not belong here, and goes on at the next one of these types, which may be this one;
   * stops when there is none.
   */
  skipTo(types: readonly string[], context: Context): void {
    this.#noteUnexpected(context);
    while (!this.at(...types)) {
      if (this.at('eof')) this.problems.leave();
      this.take();
    }
  }

  #noteUnexpected(context: Context | undefined): void {
    const token = this.peek();
    const inside = context === undefined ? '' : ` in ${context.inside}`;
    const expected = context?.expected === undefined ? '' : `, expected ${context.expected}`;
    this.problems.add(token, `unexpected ${describeToken(token)}${inside}${expected}`);
  }

  within<T>(context: Context, parse: () => T): T {
    this.#contexts.push(context);
    const result = parse();
    this.#contexts.pop();
    return result;
  }

  /** Runs a parser one level deeper; too deep stops before the stack does. */
  nested<T>(parse: () => T): T {
    if (++this.#depth > this.#limits.depthMax) this.#tooDeep(this.peek());
    const result = parse();
    this.#depth--;
    return result;
  }

  /** Takes note of a new node, so that neither the count of nodes nor the height of the tree grows without bound. */
  node<T extends Expr>(node: T): T {
    return this.#grown(node, childrenOf(node));
  }

  /** The same for a part of a duration expression. */
  duration<T extends Duration>(node: T): T {
    if (node.kind === 'duration-function') return this.#grown(node, node.args);
    if (node.kind === 'number') return this.#grown(node, []);
    return this.#grown(node, node.left === undefined ? [node.right] : [node.left, node.right]);
  }

  #grown<T extends Span>(node: T, children: readonly Span[]): T {
    this.count(node);
    let height = 0;
    for (const child of children) height = Math.max(height, this.#heights.get(child) ?? 0);
    if (++height > this.#limits.depthMax) this.#tooDeep(node);
    this.#heights.set(node, height);
    return node;
  }

  count(span: Span): void {
    if (++this.#nodes > this.#limits.nodesMax)
      this.#overLimit(span, `query has more than ${this.#limits.nodesMax} parts`);
  }

  #tooDeep(span: Span): never {
    return this.#overLimit(span, `query is nested more than ${this.#limits.depthMax} levels deep`);
  }

  #overLimit(span: Span, message: string): never {
    this.#isOverLimit = true;
    return this.problems.stop(span, message);
  }
}
