import type { Value } from './value.ts';

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipe: Pipe;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    }
  | {
      readonly kind: 'template';
      readonly name: string;
      readonly pipe: Pipe | undefined;
      readonly place: Place;
    }
  | { readonly kind: 'break' | 'continue' };

/** A part of the source, for errors. */
export interface Place {
  readonly at: number;
  readonly text: string;
}

/** Commands whose results are the last argument of the next; the last result goes to the variables. */
export interface Pipe {
  readonly variables: readonly string[];
  /** `=` changes variables that are there, `:=` makes new ones. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

export interface Command {
  readonly operands: readonly Operand[];
  readonly place: Place;
}

export type Operand = { readonly place: Place } & (
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'dot' | 'nil' }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }
  | { readonly kind: 'fields'; readonly of: Operand; readonly path: readonly string[] }
);

export interface ParsedTemplate {
  readonly source: string;
  readonly body: readonly TemplateNode[];
  /** By name: what `define` and `block` made. */
  readonly defined: ReadonlyMap<string, readonly TemplateNode[]>;
}
