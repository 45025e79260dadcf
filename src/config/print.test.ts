import { expect, test } from 'vitest';
import { loadConfig } from './load.ts';
import { configYaml, flagTexts } from './print.ts';

const source = (text: string) => ({ file: 'verona.yml', text });

test('a printed configuration reads back to itself', () => {
  const config = loadConfig(
    source('tsdb:\n  block_duration: 1h30m\nlimits:\n  max_request_size: 5MiB\n'),
    {},
    {},
  );
  expect(loadConfig(source(configYaml(config)), {}, {})).toEqual(config);
});

test('no key of the bucket is printed', () => {
  const config = loadConfig(
    source(''),
    { '--objstore.config': 'type: S3\nconfig: {secret_key: hunter2}' },
    {},
  );
  expect(configYaml(config)).not.toContain('hunter2');
  expect(JSON.stringify(flagTexts(config))).not.toContain('hunter2');
  expect(flagTexts(config)['tsdb.block-duration']).toBe('2h');
});

test('no password of the cache is printed', () => {
  const config = loadConfig(
    source(''),
    { '--cache.config': 'type: REDIS\nconfig: {addr: "cache:6379", password: hunter2}' },
    {},
  );
  expect(configYaml(config)).not.toContain('hunter2');
  expect(JSON.stringify(flagTexts(config))).not.toContain('hunter2');
});
