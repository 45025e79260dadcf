import { expect, test } from 'vitest';
import { parseTargetList, parseTargetListJson } from './target-list.ts';

test('lists of targets are read from YAML and JSON', () => {
  const expected = [{ targets: ['a:1'], labels: { port: '1' } }];
  expect(parseTargetList({ file: 'x.yml', text: '- targets: [a:1]\n  labels: { port: 1 }\n' })).toEqual(
    expected,
  );
  const text = '[{"targets": ["a:1"], "labels": {"port": "1"}}]';
  expect(parseTargetList({ file: 'x.json', text })).toEqual(expected);
  expect(parseTargetListJson({ file: 'http://sd', text })).toEqual(expected);
  expect(parseTargetList({ file: 'x.yml', text: '' })).toEqual([]);
});

test.each([
  ['x.yml', '- targets: [a:1]\n  nothing: 1', /x.yml:2:3: 0: /],
  ['x.yml', 'targets: [a:1]', /x.yml:1:1/],
  ['x.json', '[{"targets": ["a:1"', /x.json: .*JSON/],
  ['x.json', '[{"targets": "a:1"}]', /x.json: 0.targets: /],
  ['x.json', '[{"targets": ["a:1"], "labels": {"a": 1}}]', /x.json: 0.labels.a: /],
])('%s with %j is refused with its place', (file, text, message) => {
  expect(() => parseTargetList({ file, text })).toThrow(message);
});
