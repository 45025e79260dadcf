import { expect, test } from 'vitest';
import type { Metadata } from '../../model/metadata.ts';
import {
  METADATA_FAMILIES_MAX,
  METADATA_PER_FAMILY_MAX,
  METADATA_TEXT_MAX,
  MetricMetadata,
} from './metric-metadata.ts';

const about = (help: string): Metadata => ({ type: 'gauge', unit: '', help });

test('the newest of several comes first, and there are at most ten per family', () => {
  const known = new MetricMetadata();
  for (let i = 0; i < METADATA_PER_FAMILY_MAX + 3; i++) expect(known.set('a', about(`${i}`))).toBe(true);
  expect(known.set('a', about('5'))).toBe(false);
  expect(known.get('a').map(({ help }) => help)).toEqual([
    '5',
    '12',
    '11',
    '10',
    '9',
    '8',
    '7',
    '6',
    '4',
    '3',
  ]);
});

test('beyond the limit the family told longest ago goes', () => {
  const known = new MetricMetadata();
  for (let i = 0; i < METADATA_FAMILIES_MAX; i++) known.set(`f${i}`, about('x'));
  known.set('f0', about('x'));
  known.set('new', about('x'));
  expect([...known.entries()].length).toBe(METADATA_FAMILIES_MAX);
  expect([known.get('f0').length, known.get('f1').length, known.get('new').length]).toEqual([1, 0, 1]);
});

test('long help texts are cut off, long names and units are left out', () => {
  const known = new MetricMetadata();
  const long = 'x'.repeat(METADATA_TEXT_MAX + 1);
  expect(known.set(long, about('x'))).toBe(false);
  expect(known.set('u', { ...about('x'), unit: long })).toBe(false);
  expect(known.set('h', about(long))).toBe(true);
  expect(known.set('h', about(long))).toBe(false);
  expect(known.get('h')).toEqual([about(long.slice(1))]);
});
