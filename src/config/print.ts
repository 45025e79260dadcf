import { stringify } from 'yaml';
import { formatDuration } from '../model/duration.ts';
import type { Config } from './schema.ts';
import { settingGroups } from './settings.ts';
import { formatSize } from './units.ts';

const SECRET = '<secret>';

/** A configuration as YAML, every setting with its value in force. Secrets are blanked. */
export function configYaml(config: Config): string {
  return stringify(readable(config));
}

/** The value of every flag as text, by its name without dashes. Secrets are blanked. */
export function flagTexts(config: Config): Record<string, string> {
  const values = readable(config);
  const settings = settingGroups().flatMap((group) => group.settings);
  return Object.fromEntries(
    settings.map(({ flag, path }) => [flag.slice(2), String(values[path[0]][path[1]])]),
  );
}

type Groups = Record<string, Record<string, unknown>>;

/** Durations and sizes as a user writes them; configurations of the bucket and the cache hold keys, so none of them is shown. */
function readable(config: Config): Groups {
  const groups: Groups = structuredClone(config) as unknown as Groups;
  for (const { settings } of settingGroups())
    for (const { path, kind } of settings) {
      const value = groups[path[0]][path[1]] as number;
      if (kind === 'duration') groups[path[0]][path[1]] = formatDuration(value);
      if (kind === 'size') groups[path[0]][path[1]] = formatSize(value);
    }
  for (const group of ['objstore', 'cache'] as const)
    if (config[group].config !== '') groups[group].config = SECRET;
  return groups;
}
