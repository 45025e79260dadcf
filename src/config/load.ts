import type { z } from 'zod';
import { VeronaError } from '../model/errors.ts';
import { type Config, configSchema } from './schema.ts';
import { type Setting, settingGroups } from './settings.ts';
import { type ConfigSource, parseYaml } from './yaml-file.ts';

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
  const { values, positionOf } = parseYaml(source, environment);
  const flagOf = applyFlags(values, flags);
  const parsed = configSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const messages = parsed.error.issues.map((issue) => {
    const flag = flagOf.get(issue.path.slice(0, 2).join('.'));
    return flag ? `${flag}: ${describe(issue)}` : `${positionOf(issue)}: ${describe(issue)}`;
  });
  throw new VeronaError('bad_data', messages.join('\n'));
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
