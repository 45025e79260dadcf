import { expect, test } from 'vitest';
import { Matcher } from '../../model/matcher.ts';
import { RememberedSelects } from './remembered-selects.ts';

const pod = (value: string) => [new Matcher('=', 'pod', value)];

test('a selection is known until the series change, and each gets an array of its own', () => {
  const selects = new RememberedSelects();
  selects.keep(pod('a'), Uint32Array.of(1, 2), selects.version);
  selects.of(pod('a'))?.fill(9);
  expect(selects.of(pod('a'))).toEqual(Uint32Array.of(1, 2));
  expect(selects.of(pod('b'))).toBeUndefined();
  selects.forgetAll();
  expect(selects.of(pod('a'))).toBeUndefined();
});

test('what a selection found while a series was made is not kept', () => {
  const selects = new RememberedSelects();
  const { version } = selects;
  selects.forgetAll();
  selects.keep(pod('a'), Uint32Array.of(1), version);
  expect(selects.of(pod('a'))).toBeUndefined();
});

test('the least recently used go first, and large ones are not kept', () => {
  const selects = new RememberedSelects();
  selects.keep(pod('large'), new Uint32Array(5000), selects.version);
  expect(selects.of(pod('large'))).toBeUndefined();
  for (let i = 0; i < 512; i++) selects.keep(pod(`${i}`), Uint32Array.of(i), selects.version);
  selects.of(pod('0'));
  selects.keep(pod('one more'), Uint32Array.of(7), selects.version);
  expect([selects.of(pod('0')), selects.of(pod('1'))]).toEqual([Uint32Array.of(0), undefined]);
  for (let i = 0; i < 17; i++) selects.keep(pod(`wide ${i}`), new Uint32Array(4096), selects.version);
  expect([selects.of(pod('wide 0')), selects.of(pod('wide 16'))?.length]).toEqual([undefined, 4096]);
});

test('matchers whose parts run into one another are told apart', () => {
  const selects = new RememberedSelects();
  selects.keep([new Matcher('=', 'aÿb', 'c')], Uint32Array.of(1), selects.version);
  expect(selects.of([new Matcher('=', 'a', 'bÿc')])).toBeUndefined();
  selects.keep([...pod('a'), ...pod('b')], Uint32Array.of(2), selects.version);
  expect(selects.of(pod('a=3:pod1:b'))).toBeUndefined();
});
