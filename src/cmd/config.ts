import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { configReference } from '../config/reference.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { readConfigFile } from './config-file.ts';
import { readGrpcAccess } from './grpc-access.ts';
import { readAccess } from './web-access.ts';

/** `verona config …`: look at a configuration without starting anything. */
export function addConfigCommand(program: Command): void {
  const config = program
    .command('config')
    .description('check a configuration, or print the reference of all settings');
  config
    .command('check')
    .description('read a configuration file as a start would, and say what is wrong with it')
    .argument('<file>', 'a YAML file')
    .action(async (file: string) => {
      const config = loadConfig({ file, text: readConfigFile(file) }, {}, process.env);
      if (config.web.config_file !== '') await readAccess(config.web.config_file, new NodeDisk());
      if (config.grpc.enabled) await readGrpcAccess(config, new NodeDisk());
      process.stdout.write(`${file}: good\n`);
    });
  config
    .command('reference')
    .description('print every setting with its flag, kind, default and meaning, as Markdown')
    .action(() => {
      process.stdout.write(configReference());
    });
}
