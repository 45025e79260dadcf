import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { SeededRandom } from '../platform/random.ts';
import { decodeChunk } from './chunk.ts';
import { ChunkEncoding } from './encoding.ts';

const goldens = JSON.parse(readFileSync(join(import.meta.dirname, 'testdata/chunks.json'), 'utf8')) as {
  readonly chunks: readonly string[];
}[];

test('mutated histogram chunks decode or fail as corrupt', () => {
  const random = new SeededRandom(11);
  const chunks = goldens.flatMap((golden) => golden.chunks).map((hex) => Buffer.from(hex, 'hex'));
  let decoded = 0;
  for (let round = 0; round < 4_000; round++) {
    const good = chunks[Math.floor(random.next() * chunks.length)];
    const bad = good.subarray(0, random.next() < 0.7 ? good.length : Math.floor(random.next() * good.length));
    const bytes = Uint8Array.from(bad);
    for (let k = 0; k < 1 + 3 * random.next(); k++)
      bytes[Math.floor(random.next() * bytes.length)] ^= 1 << Math.floor(random.next() * 8);
    const encoding = random.next() < 0.5 ? ChunkEncoding.histogram : ChunkEncoding.floatHistogram;
    try {
      decodeChunk(encoding, bytes, 0, bytes.length);
      decoded++;
    } catch (error) {
      expect(error).toBeInstanceOf(VeronaError);
      expect((error as VeronaError).code).toBe('corrupt');
    }
  }
  expect(decoded).toBeGreaterThan(50);
});
