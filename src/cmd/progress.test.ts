import { expect, test } from 'vitest';
import { StoreCounts } from '../objstore/store-counts.ts';
import { HandClock } from '../platform/testdata/hand-clock.ts';
import { Progress } from './progress.ts';

const MIB = 1024 * 1024;

function start(isTerminal: boolean, weights = [MIB, 3 * MIB]) {
  const clock = new HandClock();
  const counts = new StoreCounts();
  const written: string[] = [];
  const out = { isTerminal, write: (text: string) => void written.push(text) };
  return { clock, counts, written, progress: new Progress('blocks', weights, { counts, clock, out }) };
}

test('a terminal shows count, bytes and the time that is left, anew every second and also when nothing happens', () => {
  const { clock, counts, written, progress } = start(true);
  clock.advance(1000);
  expect(written).toEqual([]);
  progress.begin('acme/a');
  clock.advance(1000);
  progress.end();
  progress.begin('acme/b');
  counts.transferred('get_range', MIB);
  progress.step('download', 'read', 0.4, 0.6);
  clock.advance(2000);
  clock.advance(1000);
  expect(written).toEqual([
    '\r\x1b[K1/2 blocks, 0% of 4.0MiB: acme/a (0B read, 0B written)',
    '\r\x1b[K2/2 blocks, 70% of 4.0MiB, about 2s left: acme/b: download 33% (1.0MiB read, 0B written)',
    '\r\x1b[K2/2 blocks, 70% of 4.0MiB, about 3s left: acme/b: download 33% (1.0MiB read, 0B written)',
  ]);
});

test('a line is taken away before others are written, and nothing is drawn once it is closed', () => {
  const { clock, written, progress } = start(true);
  progress.begin('acme/a');
  progress.clear();
  expect(written).toEqual([]);
  clock.advance(1000);
  progress.clear();
  progress.clear();
  expect(written.slice(1)).toEqual(['\r\x1b[K']);
  clock.advance(1000);
  progress.close();
  clock.advance(60_000);
  expect(written).toHaveLength(4);
  expect(clock.delays).toEqual([]);
});

test('where lines stay there is one every ten seconds, and none of something short', () => {
  const { clock, written, progress } = start(false);
  progress.begin('acme/a');
  for (let s = 0; s < 25; s++) clock.advance(1000);
  expect(written).toEqual([
    '1/2 blocks, 0% of 4.0MiB: acme/a (0B read, 0B written)\n',
    '1/2 blocks, 0% of 4.0MiB: acme/a (0B read, 0B written)\n',
  ]);
  progress.close();
});

test('things without bytes are only counted', () => {
  const { clock, written, progress } = start(true, [0, 0]);
  progress.begin('acme/a');
  progress.step('merge', 0.1, 0.3, 0.5);
  for (let s = 0; s < 3; s++) clock.advance(1000);
  expect(written.at(-1)).toBe('\r\x1b[K1/2 blocks: acme/a: merge 10% (0B read, 0B written)');
  progress.close();
});

test('a copy is as far as the bytes that were written, whatever was read for it', () => {
  const { counts, progress } = start(true);
  progress.begin('acme/a');
  progress.end();
  progress.begin('acme/b', 'written');
  counts.transferred('get_range', 3 * MIB);
  counts.transferred('upload', MIB);
  expect(progress.line()).toBe('2/2 blocks, 50% of 4.0MiB: acme/b (3.0MiB read, 1.0MiB written)');
  progress.end();
  expect(progress.line()).toContain('100% of 4.0MiB');
  progress.close();
});
