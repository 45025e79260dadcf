import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { VeronaError } from '../model/errors.ts';
import type { ConfigSource } from './yaml-file.ts';

/** A part of a YAML file as it is written: scalars are text, whatever they look like. Lines and columns are from 1. */
export type YamlTree =
  | { readonly kind: 'text'; readonly line: number; readonly column: number; readonly text: string }
  | {
      readonly kind: 'list';
      readonly line: number;
      readonly column: number;
      readonly items: readonly YamlTree[];
    }
  | {
      readonly kind: 'map';
      readonly line: number;
      readonly column: number;
      readonly entries: readonly YamlEntry[];
    };

export interface YamlEntry {
  readonly key: string;
  readonly line: number;
  readonly value: YamlTree;
}

/** An entry that has no value is left out. Aliases are resolved. Throws `bad_data` with the first problem and its line. */
export function readYamlTree({ file, text }: ConfigSource): YamlTree | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const [problem] = document.errors;
  const lineAt = (offset: number) => lines.linePos(offset).line;
  if (problem) throw new VeronaError('bad_data', `yaml: line ${lineAt(problem.pos[0])}: ${problem.message}`);
  const convert = (node: Node | null): YamlTree | undefined => {
    const { line, col: column } = lines.linePos(node?.range?.[0] ?? 0);
    if (isAlias(node)) return convert(node.resolve(document) ?? null);
    if (isMap(node)) {
      const entries = node.items.flatMap(({ key, value }): YamlEntry[] => {
        const found = convert(value as Node | null);
        const keyLine = lineAt((key as Node).range?.[0] ?? 0);
        return found === undefined ? [] : [{ key: textOf(key), line: keyLine, value: found }];
      });
      return { kind: 'map', line, column, entries };
    }
    if (isSeq(node))
      return {
        kind: 'list',
        line,
        column,
        items: node.items.map(
          (item) => convert(item as Node | null) ?? { kind: 'text', line, column, text: '' },
        ),
      };
    if (!isScalar(node) || node.value === null) return undefined;
    return { kind: 'text', line, column, text: textOf(node) };
  };
  try {
    return convert(document.contents);
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new VeronaError('bad_data', `${file}: nested too deeply`, { cause });
    throw cause;
  }
}

/** A plain scalar as it stands in the file: `1.10` is not `1.1`. */
function textOf(node: unknown): string {
  if (!isScalar(node)) return String(node);
  return node.type === 'PLAIN' && node.source !== undefined ? node.source : String(node.value);
}
