import { type Command, type Help, Option } from 'commander';
import type { FlagValues } from '../config/load.ts';
import { settingGroups } from '../config/settings.ts';

/** Flags that others know under other names, by these names. */
export type FlagAliases = Readonly<Record<string, string>>;

const PROMETHEUS_NAMES: FlagAliases = {
  '--web.config.file': '--web.config-file',
  '--scrape.config.file': '--scrape.config-file',
};

/** Adds a flag for every setting, in groups, `--config.file`, and hidden ones for other names of some. */
export function addSettingFlags(command: Command, aliases: FlagAliases = {}): void {
  command.configureHelp({ formatItem: flagAboveText });
  command.addOption(new Option('--config.file <path>', 'YAML file with settings; flags win over it'));
  for (const group of settingGroups())
    for (const setting of group.settings) {
      const value = setting.kind === 'boolean' ? '[true|false]' : `<${placeholder(setting.kind)}>`;
      const shown = setting.defaultText === '' ? '' : ` (default ${setting.defaultText})`;
      const option = new Option(`${setting.flag} ${value}`, `${setting.description}${shown}`);
      if (setting.kind === 'list of text') option.argParser(collect);
      command.addOption(option.helpGroup(`${group.name}: ${group.description}`));
      for (const [alias, flag] of Object.entries({ ...PROMETHEUS_NAMES, ...aliases }))
        if (flag === setting.flag)
          command.addOption(new Option(`${alias} ${value}`, `the same as ${flag}`).hideHelp());
    }
}

/** A flag on a line of its own and its text below: flags are too long for a column. */
function flagAboveText(flag: string, _width: number, text: string, help: Help): string {
  const lines = help
    .boxWrap(text, Math.min(help.helpWidth ?? 80, HELP_WIDTH) - TEXT_INDENT.length)
    .split('\n');
  return [`  ${flag}`, ...lines.map((line) => TEXT_INDENT + line)].join('\n');
}

/** The flags that were given, by their long name. */
export function givenFlags(
  command: Command,
  aliases: FlagAliases = {},
): { configFile: string | undefined; flags: FlagValues } {
  const names: FlagAliases = { ...PROMETHEUS_NAMES, ...aliases };
  const flags: Record<string, string | boolean | readonly string[]> = {};
  let configFile: string | undefined;
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (value === undefined) continue;
    if (option.long === '--config.file') configFile = String(value);
    else
      flags[names[option.long as string] ?? (option.long as string)] = value as
        | string
        | boolean
        | readonly string[];
  }
  return { configFile, flags };
}

const HELP_WIDTH = 110;
const TEXT_INDENT = '      ';

/** A list may be given in one flag or in several. */
function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',')];
}

/** `one of a, b` becomes `a|b`. */
function placeholder(kind: string): string {
  return kind.startsWith('one of ') ? kind.slice(7).replaceAll(', ', '|') : kind;
}
