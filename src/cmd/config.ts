import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { configReference } from '../config/reference.ts';
import { readConfigFile } from './config-file.ts';

/** `verona config …`: look at a configuration without starting anything. */
export function addConfigCommand(program: Command): void {
  const config = program
    .command('config')
    .description('check a configuration, or print the reference of all settings');
  config
    .command('check')
    .description('read a configuration file as a start would, and say what is wrong with it')
    .argument('<file>', 'a YAML file')
    .action((file: string) => {
      loadConfig({ file, text: readConfigFile(file) }, {}, process.env);
      process.stdout.write(`${file}: good\n`);
    });
  config
    .command('reference')
    .description('print every setting with its flag, kind, default and meaning, as Markdown')
    .action(() => {
      process.stdout.write(configReference());
    });
}
