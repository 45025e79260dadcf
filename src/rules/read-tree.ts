import type { YamlTree } from '../config/yaml-tree.ts';
import { parseDuration } from '../model/duration.ts';
import { parseFloatText } from '../promql/functions/parse-float.ts';

/** Reads one field of a map; undefined when it is not good, after telling the reader so. */
type Field<T> = (tree: YamlTree, reader: TreeReader) => T | undefined;
export type Fields = Readonly<Record<string, Field<unknown>>>;
export type Read<F extends Fields> = {
  readonly [K in keyof F]?: F[K] extends Field<infer T> ? T : never;
} & { readonly line: number; readonly column: number };

/** Turns parts of a YAML file into data and collects what is wrong, in the words of Go's strict YAML reader. */
export class TreeReader {
  readonly problems: string[] = [];

  map<F extends Fields>(tree: YamlTree, type: string, fields: F): Read<F> {
    const found: Record<string, unknown> = { line: tree.line, column: tree.column };
    if (tree.kind !== 'map') {
      this.#cannot(tree, type);
      return found as Read<F>;
    }
    const seen = new Set<string>();
    for (const { key, line, value } of tree.entries) {
      const read = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (seen.has(key)) this.problems.push(`  line ${line}: key "${key}" already set in map`);
      else if (read === undefined)
        this.problems.push(`  line ${line}: field ${key} not found in type ${type}`);
      else found[key] = read(value, this);
      seen.add(key);
    }
    return found as Read<F>;
  }

  cannot(tree: YamlTree, type: string): undefined {
    this.#cannot(tree, type);
    return undefined;
  }

  #cannot(tree: YamlTree, type: string): void {
    const what =
      tree.kind === 'map'
        ? '!!map'
        : tree.kind === 'list'
          ? '!!seq'
          : `!!str \`${tree.text.slice(0, 10)}${tree.text.length > 10 ? '...' : ''}\``;
    this.problems.push(`  line ${tree.line}: cannot unmarshal ${what} into ${type}`);
  }
}

export const textField: Field<string> = (tree, reader) =>
  tree.kind === 'text' ? tree.text : reader.cannot(tree, 'string');

/** A text with its place, `line:column`. */
export interface Located {
  readonly text: string;
  readonly at: string;
}

export const locatedField: Field<Located> = (tree, reader) => {
  const text = textField(tree, reader);
  return text === undefined ? undefined : { text, at: `${tree.line}:${tree.column}` };
};

export const textsField: Field<readonly string[]> = (tree, reader) => listOf(textField)(tree, reader);

export const integerField: Field<number> = (tree, reader) =>
  tree.kind === 'text' && /^\d{1,15}$/.test(tree.text) ? Number(tree.text) : reader.cannot(tree, 'int');

export const booleanField: Field<boolean> = (tree, reader) => {
  if (tree.kind === 'text' && /^(true|True|TRUE)$/.test(tree.text)) return true;
  if (tree.kind === 'text' && /^(false|False|FALSE)$/.test(tree.text)) return false;
  return reader.cannot(tree, 'bool');
};

/** YAML's numbers and Go's. */
export const floatField: Field<number> = (tree, reader) => {
  const value =
    tree.kind === 'text' ? parseFloatText(tree.text.replace(/^([+-]?)\.(inf|nan)$/i, '$1$2')) : undefined;
  return value ?? reader.cannot(tree, 'float64');
};

/** ms. */
export const durationField: Field<number> = (tree, reader) => {
  const text = textField(tree, reader);
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined)
    reader.problems.push(
      text === '' ? 'empty duration string' : `not a valid duration string: ${JSON.stringify(text)}`,
    );
  return ms;
};

export const textMapField: Field<ReadonlyMap<string, string>> = (tree, reader) => {
  if (tree.kind !== 'map') return reader.cannot(tree, 'map[string]string');
  const pairs = tree.entries.map(({ key, value }): [string, string] => [key, textField(value, reader) ?? '']);
  return new Map(pairs);
};

export function listOf<T>(item: Field<T>): Field<readonly T[]> {
  return (tree, reader) => {
    if (tree.kind !== 'list') return reader.cannot(tree, '[]interface {}');
    return tree.items.flatMap((one) => {
      const read = item(one, reader);
      return read === undefined ? [] : [read];
    });
  };
}

export function mapOf<F extends Fields>(type: string, fields: F): Field<Read<F>> {
  return (tree, reader) => reader.map(tree, type, fields);
}
