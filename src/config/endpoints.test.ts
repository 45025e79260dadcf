import { expect, test } from 'vitest';
import { parseEndpoints } from './endpoints.ts';

const parse = (text: string) => parseEndpoints({ file: 'sd.yml', text });

test('endpoints come as Thanos writes them, or as Prometheus’ file discovery has them', () => {
  expect(
    parse(
      'endpoints:\n  - address: a:1\n  - address: dns+b:2\n    strict: true\n  - {address: c, group: true}\n',
    ),
  ).toEqual([
    { address: 'a:1', strict: false, group: false },
    { address: 'dns+b:2', strict: true, group: false },
    { address: 'c', strict: false, group: true },
  ]);
  expect(parse('- targets: [a:1, b:2]\n- targets:\n    - c:3\n  labels: {env: x}\n')).toEqual([
    { address: 'a:1', strict: false, group: false },
    { address: 'b:2', strict: false, group: false },
    { address: 'c:3', strict: false, group: false },
  ]);
  expect(parse('[{"targets": ["a:1"]}]')).toEqual([{ address: 'a:1', strict: false, group: false }]);
  expect(parse('# nothing yet\n')).toEqual([]);
});

test('a wrong key names file and line', () => {
  expect(() => parse('endpoints:\n  - address: a:1\n    stirct: true\n')).toThrow('sd.yml:');
  expect(() => parse('- target: [a:1]\n')).toThrow('sd.yml:');
});
