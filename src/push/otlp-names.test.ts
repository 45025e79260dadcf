import { expect, test } from 'vitest';
import { type NameKind, Namer, type TranslationStrategy } from './otlp-names.ts';

test.each<[TranslationStrategy, string, string, NameKind, string]>([
  ['UnderscoreEscapingWithSuffixes', 'http.server.duration', 's', 'other', 'http_server_duration_seconds'],
  ['UnderscoreEscapingWithSuffixes', 'memory.usage', 'By', 'gauge', 'memory_usage_bytes'],
  ['UnderscoreEscapingWithSuffixes', 'requests', '{request}', 'counter', 'requests_total'],
  ['UnderscoreEscapingWithSuffixes', 'requests.total', '1', 'counter', 'requests_total'],
  ['UnderscoreEscapingWithSuffixes', 'total.requests', '', 'counter', 'requests_total'],
  ['UnderscoreEscapingWithSuffixes', 'cpu.utilization', '1', 'gauge', 'cpu_utilization_ratio'],
  ['UnderscoreEscapingWithSuffixes', 'seconds.spent', 's', 'gauge', 'seconds_spent'],
  ['UnderscoreEscapingWithSuffixes', 'io', 'By/s', 'gauge', 'io_bytes_per_second'],
  ['UnderscoreEscapingWithSuffixes', 'speed', 'km/h', 'gauge', 'speed_km_per_hour'],
  ['UnderscoreEscapingWithSuffixes', 'rate', '{x}/min', 'gauge', 'rate_per_min'],
  ['UnderscoreEscapingWithSuffixes', 'odd', '°F/foo_bar', 'gauge', 'odd_F_per_foo_bar'],
  ['UnderscoreEscapingWithSuffixes', '__a..b--c__', '', 'gauge', 'a_b_c'],
  ['UnderscoreEscapingWithSuffixes', '2xx', '', 'gauge', '_2xx'],
  ['UnderscoreEscapingWithSuffixes', 'a:b', '', 'gauge', 'a:b'],
  ['UnderscoreEscapingWithoutSuffixes', 'http.server__duration', 's', 'counter', 'http_server__duration'],
  ['UnderscoreEscapingWithoutSuffixes', '2xx.é.y', 's', 'counter', '_2xx_y'],
  ['NoUTF8EscapingWithSuffixes', 'http.server.duration', 's', 'other', 'http.server.duration_seconds'],
  ['NoUTF8EscapingWithSuffixes', 'io.total', 'By/s', 'counter', 'io_bytes_per_second_total'],
  ['NoUTF8EscapingWithSuffixes', 'cpu', '1', 'gauge', 'cpu_ratio'],
  ['NoTranslation', 'http.server.duration', 's', 'counter', 'http.server.duration'],
])('%s makes of %s in %s (%s) %s', (strategy, name, unit, kind, expected) => {
  expect(new Namer(strategy).metricName(name, unit, kind)).toBe(expected);
});

test.each<[TranslationStrategy, string, string]>([
  ['UnderscoreEscapingWithSuffixes', 'http.method', 'http_method'],
  ['UnderscoreEscapingWithSuffixes', '1st', 'key_1st'],
  ['UnderscoreEscapingWithSuffixes', '_private', 'key_private'],
  ['UnderscoreEscapingWithSuffixes', '__kept__', '__kept__'],
  ['UnderscoreEscapingWithSuffixes', 'ä', 'key_'],
  ['NoTranslation', 'http.method', 'http.method'],
])('%s makes of attribute %s the label %s', (strategy, name, expected) => {
  expect(new Namer(strategy).labelName(name)).toBe(expected);
});

test('names of which nothing is left are refused', () => {
  const namer = new Namer('UnderscoreEscapingWithSuffixes');
  expect(() => namer.metricName('..', '', 'gauge')).toThrow('metric name ".." has nothing that can be kept');
  expect(() => namer.labelName('..')).toThrow('attribute ".." has nothing that can be kept');
  expect(() => new Namer('NoTranslation').labelName('')).toThrow('attribute "" has nothing');
  expect(() => new Namer('NoTranslation').metricName('', '', 'gauge')).toThrow('metric name "" has nothing');
});

test.each([
  ['s', 'seconds'],
  ['By/s', 'bytes_per_second'],
  ['1', ''],
  ['{x}', ''],
  ['{x}/s', 'per_second'],
])('the unit %s is %s', (unit, expected) => {
  expect(new Namer('UnderscoreEscapingWithSuffixes').unitName(unit)).toBe(expected);
});
