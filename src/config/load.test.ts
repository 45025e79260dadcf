import { expect, test } from 'vitest';
import { loadConfig } from './load.ts';

function load(text: string, flags = {}, environment: Record<string, string> = {}) {
  return loadConfig({ file: 'verona.yml', text }, flags, environment);
}

test('an empty file gives every default', () => {
  const config = load('');
  expect(config.http.listen_address).toBe('127.0.0.1:9009');
  expect(config.tsdb.block_duration).toBe(7_200_000);
  expect(config.limits.max_label_value_length).toBe(2048);
  expect(config.overrides).toEqual({});
});

test('an unknown key names its line and itself', () => {
  expect(() => load('http:\n  listen_address: localhost:1\n  lisen_port: 2\n')).toThrow(
    'verona.yml:3:3: unknown key http.lisen_port',
  );
});

test('a bad value names its line and the setting', () => {
  expect(() => load('tsdb:\n  retention_time: soon\n')).toThrow(
    'verona.yml:2:19: tsdb.retention_time: not a duration: "soon"',
  );
});

test('all problems are told at once', () => {
  expect(() => load('a: 1\ntsdb:\n  block_duration: x\n')).toThrow(/verona.yml:3:19[\s\S]*verona.yml:1:1/);
});

test('YAML that does not parse names its line', () => {
  expect(() => load('http: [1, 2\n')).toThrow(/verona\.yml:\d+:\d+: /);
});

test('a flag wins over the file', () => {
  const config = load('data:\n  dir: /a\n', { '--data.dir': '/b', '--query.max-samples': '10' });
  expect(config.data.dir).toBe('/b');
  expect(config.query.max_samples).toBe(10);
});

test('a bad flag is named as it was written', () => {
  expect(() => load('', { '--query.threads': 'many' })).toThrow('--query.threads: query.threads: ');
  expect(() => load('', { '--no.such': 'x' })).toThrow('unknown flag --no.such');
});

test('a boolean flag takes true and false', () => {
  expect(load('', { '--self-metrics.enabled': 'false' }).self_metrics.enabled).toBe(false);
  expect(load('', { '--objstore.enabled': true }).objstore.enabled).toBe(true);
});

test('values come from the environment, with a default, and a dollar sign can be written', () => {
  const config = load(
    'data:\n  dir: ${WHERE}/x\nlog:\n  level: ${LEVEL:-warn}\nself_metrics:\n  tenant: a$$b\n',
    {},
    { WHERE: '/d' },
  );
  expect(config.data.dir).toBe('/d/x');
  expect(config.log.level).toBe('warn');
  expect(config.self_metrics.tenant).toBe('a$b');
});

test('a name that the environment lacks is an error on its line', () => {
  expect(() => load('data:\n  dir: ${NOWHERE}\n')).toThrow('verona.yml:2:8: the environment has no NOWHERE');
});

test('an override holds only what it sets', () => {
  const config = load('overrides:\n  team-a:\n    max_series: 5\n    out_of_order_time_window: 1h\n');
  expect(config.overrides['team-a']).toEqual({ max_series: 5, out_of_order_time_window: 3_600_000 });
});

test('a limit that does not exist is refused in overrides too', () => {
  expect(() => load('overrides:\n  team-a:\n    max_serie: 5\n')).toThrow(
    'verona.yml:3:5: unknown key overrides.team-a.max_serie',
  );
});
