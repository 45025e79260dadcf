import { VeronaError } from '../../model/errors.ts';
import { ARITY, FUNCTIONS, fail, type TemplateWorld } from './functions.ts';
import type { Command, Operand, ParsedTemplate, Pipe, Place, TemplateNode } from './node.ts';
import { parseTemplate } from './parse.ts';
import { typeName } from './printf.ts';
import { isList, isMap, isSample, isTrue, printValue, type Value } from './value.ts';

/** What an expansion may at most produce and do. */
const OUTPUT_MAX = 1024 * 1024;
const STEPS_MAX = 100_000;
const NESTING_MAX = 100;
const NAMES: ReadonlySet<string> = new Set([...Object.keys(FUNCTIONS), 'and', 'or', 'tmpl']);

/**
 * A template of an alerting rule (Go's text/template with Prometheus' functions), parsed. Throws `bad_data` in Go's words;
 * `name` stands in front of them.
 */
export function compileTemplate(name: string, source: string): ParsedTemplate {
  try {
    return parseTemplate(source, NAMES);
  } catch (error) {
    if (!(error instanceof VeronaError)) throw error;
    throw new VeronaError('bad_data', `template: ${name}:${error.message}`);
  }
}

/** The text of a template for `data` (its dot). Rejects with `execution` in Go's words. */
export async function expandTemplate(
  name: string,
  template: ParsedTemplate,
  data: Value,
  world: TemplateWorld,
): Promise<string> {
  const expansion = new Expansion(name, template, world);
  await expansion.run(template.body, data);
  return expansion.output;
}

class Leave extends Error {
  readonly how: 'break' | 'continue';

  constructor(how: 'break' | 'continue') {
    super(how);
    this.how = how;
  }
}

type Variables = { readonly name: string; value: Value }[];

class Expansion {
  output = '';
  readonly #name: string;
  readonly #template: ParsedTemplate;
  readonly #world: TemplateWorld;
  #variables: Variables = [];
  #steps = 0;
  #nesting = 0;

  constructor(name: string, template: ParsedTemplate, world: TemplateWorld) {
    this.#name = name;
    this.#template = template;
    this.#world = world;
  }

  async run(nodes: readonly TemplateNode[], dot: Value): Promise<void> {
    this.#variables = [{ name: '$', value: dot }];
    await this.#walk(nodes, dot);
  }

  async #walk(nodes: readonly TemplateNode[], dot: Value): Promise<void> {
    for (const node of nodes) {
      this.#step();
      await this.#visit(node, dot);
    }
  }

  #step(): void {
    if (++this.#steps > STEPS_MAX) throw fail(`template does more than ${STEPS_MAX} steps`);
  }

  async #visit(node: TemplateNode, dot: Value): Promise<void> {
    switch (node.kind) {
      case 'text':
        return this.#write(node.text);
      case 'action': {
        const value = await this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) this.#write(printValue(value));
        return;
      }
      case 'if':
      case 'with':
        return this.#scoped(async () => {
          const value = await this.#pipe(node.pipe, dot);
          if (isTrue(value)) await this.#walk(node.body, node.kind === 'with' ? value : dot);
          else await this.#walk(node.otherwise, dot);
        });
      case 'range':
        return this.#range(node, dot);
      case 'template':
        return this.#write(
          await this.#execute(node.name, node.pipe && (await this.#pipe(node.pipe, dot)), node.place),
        );
      default:
        throw new Leave(node.kind);
    }
  }

  #write(text: string): void {
    this.output += text;
    if (this.output.length > OUTPUT_MAX) throw fail(`template gives more than ${OUTPUT_MAX} characters`);
  }

  async #scoped(run: () => Promise<void>): Promise<void> {
    const depth = this.#variables.length;
    try {
      await run();
    } finally {
      this.#variables.length = depth;
    }
  }

  async #range(node: Extract<TemplateNode, { kind: 'if' | 'with' | 'range' }>, dot: Value): Promise<void> {
    await this.#scoped(async () => {
      const { variables, assigns } = node.pipe;
      const over = await this.#pipe({ ...node.pipe, variables: [] }, dot);
      const entries = entriesOf(over);
      if (entries === undefined)
        throw this.#problem(node.pipe.commands[0].place, `range can't iterate over ${printValue(over)}`);
      if (entries.length === 0) return this.#walk(node.otherwise, dot);
      const depth = this.#variables.length;
      for (const [key, value] of entries) {
        this.#step();
        const values = variables.length === 1 ? [value] : [key, value];
        for (const [i, name] of variables.entries()) this.#set(name, values[i], assigns);
        const leave = await this.#iteration(node.body, value);
        this.#variables.length = depth;
        if (leave === 'break') return;
      }
    });
  }

  async #iteration(body: readonly TemplateNode[], value: Value): Promise<'break' | 'continue' | undefined> {
    try {
      await this.#walk(body, value);
      return undefined;
    } catch (error) {
      if (error instanceof Leave) return error.how;
      throw error;
    }
  }

  /** What a defined template gives for a dot of its own. */
  async #execute(name: string, dot: Value, place: Place): Promise<string> {
    const body = this.#template.defined.get(name);
    if (body === undefined) throw this.#problem(place, `template "${name}" not defined`);
    if (++this.#nesting > NESTING_MAX)
      throw this.#problem(place, `exceeded maximum template depth (${NESTING_MAX})`);
    const inner = new Expansion(this.#name, this.#template, this.#world);
    inner.#nesting = this.#nesting;
    inner.#steps = this.#steps;
    await inner.run(body, dot);
    this.#steps = inner.#steps;
    this.#nesting--;
    return inner.output;
  }

  async #pipe({ commands, variables, assigns }: Pipe, dot: Value): Promise<Value> {
    let value: Value;
    for (const [i, command] of commands.entries())
      value = await this.#command(command, dot, i === 0 ? [] : [value]);
    for (const name of variables) this.#set(name, value, assigns);
    return value;
  }

  #set(name: string, value: Value, assigns: boolean): void {
    const known = assigns && this.#variables.findLast((variable) => variable.name === name);
    if (known) known.value = value;
    else this.#variables.push({ name, value });
  }

  async #command({ operands, place }: Command, dot: Value, final: readonly Value[]): Promise<Value> {
    const [first, ...rest] = operands;
    if (first.kind === 'function') return this.#call(first.name, rest, final, dot, place);
    if (first.kind === 'nil') throw this.#problem(first.place, 'nil is not a command');
    if (rest.length > 0 || final.length > 0)
      throw this.#problem(first.place, `can't give argument to non-function ${first.place.text}`);
    return this.#evaluate(first, dot);
  }

  async #evaluate(operand: Operand, dot: Value): Promise<Value> {
    switch (operand.kind) {
      case 'literal':
        return operand.value;
      case 'dot':
        return dot;
      case 'nil':
        return undefined;
      case 'variable':
        return this.#variables.findLast(({ name }) => name === operand.name)?.value;
      case 'function':
        return this.#call(operand.name, [], [], dot, operand.place);
      case 'pipe':
        return this.#pipe(operand.pipe, dot);
      case 'fields': {
        let value = await this.#evaluate(operand.of, dot);
        for (const name of operand.path) value = this.#field(value, name, operand.place);
        return value;
      }
    }
  }

  #field(value: Value, name: string, place: Place): Value {
    if (isMap(value)) {
      const known = value.get(name);
      // The dot of a rule is a struct, whose fields are fixed; of labels an absent one is empty.
      if (known !== undefined || !value.has('Labels')) return known ?? '';
      throw this.#problem(
        place,
        `can't evaluate field ${name} in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }`,
      );
    }
    if (isSample(value) && (name === 'Labels' || name === 'Value')) return value[name];
    throw this.#problem(place, `can't evaluate field ${name} in type ${typeName(value)}`);
  }

  async #call(
    name: string,
    operands: readonly Operand[],
    final: readonly Value[],
    dot: Value,
    place: Place,
  ): Promise<Value> {
    const given = operands.length + final.length;
    const [least, most] = ARITY[name] ?? [1, 1];
    if (given < least || given > most) {
      const wanted = least === most ? String(least) : `at least ${least}`;
      throw this.#problem(
        { at: place.at, text: name },
        `wrong number of args for ${name}: want ${wanted} got ${given}`,
      );
    }
    if (name === 'and' || name === 'or') return this.#shortCircuit(name, operands, final, dot);
    const args: Value[] = [];
    for (const operand of operands) args.push(await this.#evaluate(operand, dot));
    args.push(...final);
    if (name === 'tmpl') return this.#execute(String(args[0]), args[1], place);
    try {
      return await FUNCTIONS[name](args, this.#world);
    } catch (error) {
      throw this.#problem(place, `error calling ${name}: ${(error as Error).message}`);
    }
  }

  async #shortCircuit(
    name: 'and' | 'or',
    operands: readonly Operand[],
    final: readonly Value[],
    dot: Value,
  ): Promise<Value> {
    let value: Value;
    for (const operand of operands) {
      value = await this.#evaluate(operand, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final.length > 0 ? final[0] : value;
  }

  #problem({ at, text }: Place, message: string): VeronaError {
    const before = this.#template.source.slice(0, at);
    const line = before.split('\n').length;
    const column = new TextEncoder().encode(before.slice(before.lastIndexOf('\n') + 1)).length;
    return new VeronaError(
      'execution',
      `template: ${this.#name}:${line}:${column}: executing "${this.#name}" at <${text}>: ${message}`,
    );
  }
}

function entriesOf(value: Value): [Value, Value][] | undefined {
  if (value === undefined) return [];
  if (isList(value)) return value.map((item, i): [Value, Value] => [BigInt(i), item]);
  if (isMap(value)) return [...value].sort(([a], [b]) => (a < b ? -1 : 1));
  if (typeof value === 'bigint')
    return Array.from(
      { length: Math.max(0, Math.min(Number(value), STEPS_MAX + 1)) },
      (_, i): [Value, Value] => [BigInt(i), BigInt(i)],
    );
  return undefined;
}
