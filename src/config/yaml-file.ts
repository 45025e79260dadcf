import { type Document, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { VeronaError } from '../model/errors.ts';

export interface ConfigSource {
  /** For messages. */
  readonly file: string;
  readonly text: string;
}

export interface ParsedYaml {
  /** The tree as plain data; `{}` for an empty file. */
  readonly values: Record<string, unknown>;
  /** `file:line:column` of what an issue is about. */
  positionOf(issue: z.core.$ZodIssue): string;
}

/**
 * YAML in which every scalar is the text that stands there, as a Go program has it that reads it into strings: nothing is
 * expanded, an empty value is an empty text. Throws `bad_data` as `parseYaml`.
 */
export function parseYamlTexts(source: ConfigSource): {
  values: unknown;
  positionOf: ParsedYaml['positionOf'];
} {
  const lines = new LineCounter();
  const document = parseDocument(source.text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: 'failsafe',
    merge: true,
  });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${source.file}:${line}:${col}`;
  };
  // What comes after the first fault is mostly its consequence.
  const [fault] = document.errors;
  if (fault !== undefined) throw new VeronaError('bad_data', `${at(fault.pos[0])}: ${fault.message}`);
  return { values: plainValues(document, source.file), positionOf: (issue) => at(offsetOf(document, issue)) };
}

/** Aliases that unfold to too much are refused by the parser. */
function plainValues(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? undefined;
  } catch (cause) {
    throw new VeronaError('bad_data', `${file}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * YAML with `${NAME}` and `${NAME:-default}` in its values taken from `environment`; `$$` is a dollar sign.
 * Throws `bad_data` with every problem on a line of its own, file, line and column in front.
 */
export function parseYaml(
  source: ConfigSource,
  environment: Readonly<Record<string, string | undefined>>,
  { inParentheses = false } = {},
): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${source.file}:${line}:${col}`;
  };
  const problems = document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`);
  const pattern = inParentheses ? NAME_IN_ANY : NAME_IN_BRACES;
  expandEnvironment(document, environment, pattern, (offset, message) =>
    problems.push(`${at(offset)}: ${message}`),
  );
  if (problems.length > 0) throw new VeronaError('bad_data', problems.join('\n'));
  const values: unknown = document.toJS() ?? {};
  if (typeof values !== 'object' || Array.isArray(values))
    throw new VeronaError('bad_data', `${at(0)}: not a mapping of settings`);
  return { values: values as Record<string, unknown>, positionOf: (issue) => at(offsetOf(document, issue)) };
}

const NAME_IN_BRACES = /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
/** Thanos writes names in parentheses. */
const NAME_IN_ANY = /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g;

function expandEnvironment(
  document: Document,
  environment: Readonly<Record<string, string | undefined>>,
  pattern: RegExp,
  complain: (offset: number, message: string) => void,
): void {
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== 'string') return;
      node.value = node.value.replace(
        pattern,
        (whole, braced?: string, fallback?: string, plain?: unknown) => {
          if (whole === '$$') return '$';
          const name = braced ?? String(plain);
          const value = environment[name] ?? fallback;
          if (value === undefined)
            complain(
              node.range?.[0] ?? 0,
              `the environment has no ${name}; set it, or write \${${name}:-default}`,
            );
          return value ?? '';
        },
      );
    },
  });
}

/** Where in the file an issue is: the offending key, the value, or the nearest thing around it. */
function offsetOf(document: Document, issue: z.core.$ZodIssue): number {
  const path = issue.path as (string | number)[];
  if (issue.code === 'unrecognized_keys') {
    const parent = path.length === 0 ? document.contents : document.getIn(path, true);
    const { items } = (parent ?? {}) as { items?: { key: { value?: unknown; range?: number[] } }[] };
    for (const pair of items ?? []) if (pair.key.value === issue.keys[0]) return pair.key.range?.[0] ?? 0;
  }
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true) as { range?: number[] } | undefined;
    if (node?.range) return node.range[0];
  }
  return 0;
}
