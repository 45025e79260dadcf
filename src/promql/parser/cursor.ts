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

  constructor(text: string, features: Features, limits: ParseLimits) {
    this.problems = new Problems(text);
    this.features = features;
    this.#limits = limits;
    this.#lexer = new Lexer(this.problems);
  }

  /** The next token, not yet taken. */
  peek(): Token {
    this.#ahead ??= this.#lexer.next();
    return this.#ahead;
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
    const token = this.peek();
    const inside = context === undefined ? '' : ` in ${context.inside}`;
    const expected = context?.expected === undefined ? '' : `, expected ${context.expected}`;
    return this.problems.stop(token, `unexpected ${describeToken(token)}${inside}${expected}`);
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
      this.problems.stop(span, `query has more than ${this.#limits.nodesMax} parts`);
  }

  #tooDeep(span: Span): never {
    return this.problems.stop(span, `query is nested more than ${this.#limits.depthMax} levels deep`);
  }
}
