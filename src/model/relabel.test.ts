import { expect, test } from 'vitest';
import { Labels } from './labels.ts';
import { Relabeler } from './relabel.ts';
import type { NameScheme, RelabelRule } from './relabel-rule.ts';

/** Labels, rules, labels after them (undefined: dropped). Cases as in Prometheus' documentation and tests. */
const CASES: [string, Record<string, string>, RelabelRule[], Record<string, string> | undefined][] = [
  [
    'a group of the source goes into the target',
    { a: 'foo', b: 'bar' },
    [{ sourceLabels: ['a'], targetLabel: 'd', regex: 'f(.*)', replacement: 'ch${1}-ch${1}' }],
    { a: 'foo', b: 'bar', d: 'choo-choo' },
  ],
  [
    'sources are joined and rules follow one another',
    { a: 'foo', b: 'bar' },
    [
      { sourceLabels: ['a', 'b'], targetLabel: 'a', regex: 'f(.*);(.*)r', replacement: 'b${1}${2}m' },
      { sourceLabels: ['a'], targetLabel: 'c' },
    ],
    { a: 'boobam', b: 'bar', c: 'boobam' },
  ],
  [
    'an expression matches whole values',
    { a: 'foo' },
    [{ sourceLabels: ['a'], regex: 'o', action: 'drop' }],
    { a: 'foo' },
  ],
  ['drop drops', { a: 'foo' }, [{ sourceLabels: ['a'], regex: '.*o.*', action: 'drop' }], undefined],
  ['keep keeps', { a: 'foo' }, [{ sourceLabels: ['a'], regex: 'foo', action: 'keep' }], { a: 'foo' }],
  ['keep drops the others', { a: 'foo' }, [{ sourceLabels: ['a'], regex: 'no', action: 'keep' }], undefined],
  [
    'no match leaves the target',
    { a: 'x', t: 'y' },
    [{ sourceLabels: ['a'], regex: 'z', targetLabel: 't' }],
    { a: 'x', t: 'y' },
  ],
  [
    'an empty result removes the target',
    { a: 'x', t: 'y' },
    [{ sourceLabels: ['none'], targetLabel: 't' }],
    { a: 'x' },
  ],
  ['a constant is set without a source', {}, [{ targetLabel: 't', replacement: 'v' }], { t: 'v' }],
  [
    'the target may be made of groups',
    { some: 'one-two' },
    [{ sourceLabels: ['some'], regex: '(.*)-(.*)', targetLabel: '${1}_x', replacement: '$2' }],
    { some: 'one-two', one_x: 'two' },
  ],
  ['dot takes line ends', { a: 'x\ny' }, [{ sourceLabels: ['a'], regex: 'x.y', action: 'drop' }], undefined],
  [
    'keepequal keeps equal ones',
    { a: '1', b: '1' },
    [{ sourceLabels: ['a'], targetLabel: 'b', action: 'keepequal' }],
    { a: '1', b: '1' },
  ],
  [
    'keepequal drops others',
    { a: '1', b: '2' },
    [{ sourceLabels: ['a'], targetLabel: 'b', action: 'keepequal' }],
    undefined,
  ],
  [
    'dropequal drops equal ones',
    { a: '1', b: '1' },
    [{ sourceLabels: ['a'], targetLabel: 'b', action: 'dropequal' }],
    undefined,
  ],
  [
    'hashmod is the tail of an MD5 sum',
    { c: 'baz' },
    [{ sourceLabels: ['c'], targetLabel: 'd', action: 'hashmod', modulus: 1000n }],
    { c: 'baz', d: '976' },
  ],
  [
    'hashmod of several lines',
    { a: 'foo\nbar' },
    [{ sourceLabels: ['a'], targetLabel: 'b', action: 'hashmod', modulus: 1000n }],
    { a: 'foo\nbar', b: '734' },
  ],
  [
    'labelmap copies under another name',
    { a: 'foo', __meta_my_bar: 'aaa', __meta_my_baz: 'bbb', __meta_other: 'ccc' },
    [{ action: 'labelmap', regex: '__meta_(my.*)', replacement: '${1}' }],
    {
      a: 'foo',
      __meta_my_bar: 'aaa',
      __meta_my_baz: 'bbb',
      __meta_other: 'ccc',
      my_bar: 'aaa',
      my_baz: 'bbb',
    },
  ],
  [
    'labeldrop drops names',
    { a: '1', b1: '2', b2: '3' },
    [{ action: 'labeldrop', regex: 'b.*' }],
    { a: '1' },
  ],
  [
    'labelkeep keeps names',
    { a: '1', b1: '2', b2: '3' },
    [{ action: 'labelkeep', regex: 'b.*' }],
    { b1: '2', b2: '3' },
  ],
  [
    'lowercase',
    { a: 'FoO' },
    [{ sourceLabels: ['a'], targetLabel: 'b', action: 'lowercase' }],
    { a: 'FoO', b: 'foo' },
  ],
  [
    'uppercase',
    { a: 'FoO' },
    [{ sourceLabels: ['a'], targetLabel: 'b', action: 'uppercase' }],
    { a: 'FoO', b: 'FOO' },
  ],
];

test.each(CASES)('%s', (_, before, rules, after) => {
  expect(new Relabeler(rules).apply(Labels.from(before))?.toJSON()).toEqual(after);
});

test('a name that a template made is set only if it is one', () => {
  const rules: RelabelRule[] = [{ sourceLabels: ['a'], targetLabel: '$1', replacement: 'x' }];
  expect(new Relabeler(rules, 'legacy').apply(Labels.from({ a: 'no-name' }))?.toJSON()).toEqual({
    a: 'no-name',
  });
  expect(new Relabeler(rules, 'utf8').apply(Labels.from({ a: 'no-name' }))?.get('no-name')).toBe('x');
});

test.each<[RelabelRule, NameScheme, RegExp]>([
  [{ action: 'hashmod', targetLabel: 'a' }, 'utf8', /non-zero modulus/],
  [{ action: 'replace' }, 'utf8', /requires 'target_label'/],
  [{ action: 'replace', targetLabel: 'a-b' }, 'legacy', /"a-b" is invalid 'target_label'/],
  [{ action: 'lowercase', targetLabel: '${1}' }, 'legacy', /invalid 'target_label' for lowercase/],
  [{ action: 'uppercase', targetLabel: 'a', replacement: 'x' }, 'utf8', /'replacement' can not be set/],
  [{ action: 'labelmap', replacement: '-' }, 'legacy', /invalid 'replacement' for labelmap/],
  [{ action: 'keepequal', targetLabel: 'a', regex: 'x' }, 'utf8', /requires only 'source_labels'/],
  [{ action: 'labeldrop', sourceLabels: ['a'] }, 'utf8', /requires only 'regex'/],
  [{ action: 'keep', regex: '(' }, 'utf8', /missing closing/],
])('%j under %s is refused', (rule, scheme, message) => {
  expect(() => new Relabeler([rule], scheme)).toThrow(message);
});
