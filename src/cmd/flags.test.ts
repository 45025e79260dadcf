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

test('the flag of Prometheus for TLS and credentials is one of ours under another name', () => {
  expect(given('--web.config.file=a.yml', '--config.file=b.yml')).toEqual({
    configFile: 'b.yml',
    flags: { '--web.config-file': 'a.yml' },
  });
});
