import { Command } from 'commander';
import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { addSettingFlags, givenFlags } from './flags.ts';

function given(...args: string[]) {
  const command = new Command().exitOverride();
  addSettingFlags(command);
  command.parse(args, { from: 'user' });
  return givenFlags(command);
}

test('a list may be given in one flag or in several', () => {
  const both = ['promql-experimental-functions', 'promql-duration-expr'];
  for (const args of [
    [`--query.enable-feature=${both.join(',')}`],
    both.map((name) => `--query.enable-feature=${name}`),
  ]) {
    const config = loadConfig({ file: 'flags', text: '' }, given(...args).flags, {});
    expect(config.query.enable_feature).toEqual(both);
  }
});

test('a command takes the names of another program, which are not among those it shows', () => {
  const aliases = { '--tsdb.path': '--sidecar.tsdb-path', '--upload-all': '--sidecar.upload-compacted' };
  const command = new Command().exitOverride();
  addSettingFlags(command, aliases);
  command.parse(['--tsdb.path=/data', '--upload-all'], { from: 'user' });
  expect(givenFlags(command, aliases).flags).toEqual({
    '--sidecar.tsdb-path': '/data',
    '--sidecar.upload-compacted': true,
  });
  expect(command.helpInformation()).not.toContain('--tsdb.path');
});

test('the flag of Prometheus for TLS and credentials is one of ours under another name', () => {
  expect(given('--web.config.file=a.yml', '--config.file=b.yml')).toEqual({
    configFile: 'b.yml',
    flags: { '--web.config-file': 'a.yml' },
  });
});

test('help fits a terminal: a flag on its own line, its text wrapped below', () => {
  const command = new Command('all').configureOutput({ getOutHelpWidth: () => 80 });
  addSettingFlags(command);
  const lines = command.helpInformation().split('\n');
  expect(lines).toContain('  --data.dir <text>');
  expect(lines.filter((line) => line.startsWith('      ') && line.length > 80)).toEqual([]);
});
