import { type Document, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { VeronaError } from '../model/errors.ts';
import { type Config, configSchema } from './schema.ts';
import { type Setting, settingGroups } from './settings.ts';

export interface ConfigSource {
  /** For messages; the text of no file is ''. */
  readonly file: string;
  readonly text: string;
}

/** Flags as given, by their name with the dashes: `--http.listen-address` → `0.0.0.0:9009`. */
export type FlagValues = Readonly<Record<string, string | boolean | readonly string[]>>;

/**
 * The configuration out of a YAML file and flags; a flag wins over the file. `${NAME}` and `${NAME:-default}` in
 * values of the file are taken from `environment`, `$$` is a dollar sign.
 * Throws `bad_data` with every problem on a line of its own: file, line and column, or the flag.
 */
export function loadConfig(
  source: ConfigSource,
  flags: FlagValues,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const lines = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${source.file}:${line}:${col}`;
  };
  const problems = document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`);
  expandEnvironment(document, environment, (offset, message) => problems.push(`${at(offset)}: ${message}`));
  if (problems.length > 0) throw new VeronaError('bad_data', problems.join('\n'));

  const values = (document.toJS() ?? {}) as Record<string, unknown>;
  const flagOf = applyFlags(values, flags);
  const parsed = configSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const messages = parsed.error.issues.map((issue) => {
    const flag = flagOf.get(issue.path.join('.'));
    return flag ? `${flag}: ${describe(issue)}` : `${at(offsetOf(document, issue))}: ${describe(issue)}`;
  });
  throw new VeronaError('bad_data', messages.join('\n'));
}

function expandEnvironment(
  document: Document,
  environment: Readonly<Record<string, string | undefined>>,
  complain: (offset: number, message: string) => void,
): void {
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== 'string') return;
      node.value = node.value.replace(
        /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
        (whole, name?: string, fallback?: string) => {
          if (whole === '$$') return '$';
          const value = environment[name as string] ?? fallback;
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

/** Writes flag values into the tree; returns which path came from which flag. */
function applyFlags(values: Record<string, unknown>, flags: FlagValues): Map<string, string> {
  const byFlag = new Map(
    settingGroups().flatMap((group) => group.settings.map((setting) => [setting.flag, setting])),
  );
  const flagOf = new Map<string, string>();
  for (const [flag, value] of Object.entries(flags)) {
    const setting = byFlag.get(flag);
    if (!setting) throw new VeronaError('bad_data', `unknown flag ${flag}; verona --help lists them`);
    const [group, key] = setting.path;
    const existing = values[group];
    const target =
      existing !== null && typeof existing === 'object' ? (existing as Record<string, unknown>) : {};
    target[key] = fromFlag(setting, value);
    values[group] = target;
    flagOf.set(setting.path.join('.'), flag);
  }
  return flagOf;
}

function fromFlag(setting: Setting, value: string | boolean | readonly string[]): unknown {
  if (setting.kind === 'list of text') return typeof value === 'string' ? value.split(',') : value;
  const single = Array.isArray(value) ? value.at(-1) : value;
  if (setting.kind === 'boolean' && (single === 'true' || single === 'false')) return single === 'true';
  if (setting.kind === 'integer' && typeof single === 'string' && /^-?\d+(\.\d+)?$/.test(single))
    return Number(single);
  return single;
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => (where ? `${where}.${key}` : key)).join(', ');
    return `unknown key ${keys}; verona config reference lists all`;
  }
  return `${where}: ${issue.message}`;
}

/** Where in the file an issue is: the offending key, the value, or the nearest thing around it. */
function offsetOf(document: Document, issue: z.core.$ZodIssue): number {
  const path = issue.path as (string | number)[];
  if (issue.code === 'unrecognized_keys') {
    const parent = path.length === 0 ? document.contents : document.getIn(path, true);
    for (const pair of (parent as { items?: { key: { value?: unknown; range?: number[] } }[] } | undefined)
      ?.items ?? [])
      if (pair.key.value === issue.keys[0]) return pair.key.range?.[0] ?? 0;
  }
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true) as { range?: number[] } | undefined;
    if (node?.range) return node.range[0];
  }
  return 0;
}
