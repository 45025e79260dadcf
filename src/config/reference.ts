import { type Setting, type SettingGroup, settingGroups } from './settings.ts';

/** `docs/configuration.md`: every setting by group, generated from the schema. */
export function configReference(): string {
  return [HEAD, ...settingGroups().map(groupText), OVERRIDES].join('\n');
}

const HEAD = `# Configuration

Every setting has a flag (\`--group.key-with-dashes=value\`) and a key in the YAML file given with \`--config.file\`; a flag wins.
\`\${NAME}\` and \`\${NAME:-default}\` in values of the file come from the environment. An unknown key or a bad value is an
error that names its line. \`verona config check <file>\` tells without starting anything. What can change without a
restart (\`limits\`, \`overrides\`, \`log.level\`) is read again on \`SIGHUP\` and \`POST /-/reload\`.

This page is made by \`verona config reference\`.
`;

const OVERRIDES = `## overrides

Limits of single tenants, by tenant, with the keys of \`limits\`:

\`\`\`yaml
overrides:
  team-a:
    max_series: 2000000
\`\`\`
`;

function groupText(group: SettingGroup): string {
  const rows = group.settings.map(rowText);
  return `## ${group.name}

${group.description}

| key | kind | default | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

function rowText(setting: Setting): string {
  const shown = setting.defaultText === '' ? '' : `\`${setting.defaultText}\``;
  const description = setting.description.replaceAll('|', '\\|');
  return `| \`${setting.path[1]}\` | ${setting.kind} | ${shown} | ${description} |`;
}
