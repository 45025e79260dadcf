import { expect } from 'vitest';
import { VeronaError } from '../../model/errors.ts';
import { SeededRandom } from '../../platform/random.ts';

const ROUNDS = 3000;

/** Changes, cuts, doubles and mixes bytes of valid messages; each decodes, or fails with one of `codes`. */
export function expectHardened(
  valid: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => unknown,
  codes: readonly string[] = ['bad_data'],
): void {
  const random = new SeededRandom(7);
  const below = (bound: number) => Math.floor(random.next() * bound);
  let failed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = valid[below(valid.length)].slice();
    const mutated = mutate(bytes, below);
    try {
      decode(mutated);
    } catch (error) {
      failed++;
      if (!(error instanceof VeronaError)) throw error;
      expect(codes).toContain(error.code);
    }
  }
  expect(failed).toBeGreaterThan(ROUNDS / 20);
}

function mutate(bytes: Uint8Array, below: (bound: number) => number): Uint8Array {
  const kind = below(4);
  if (kind === 0) return bytes.subarray(0, below(bytes.length + 1));
  if (kind === 1) {
    const at = below(bytes.length + 1);
    return Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(below(bytes.length + 1)));
  }
  for (let n = 1 + below(8); n > 0; n--)
    bytes[below(bytes.length)] = kind === 2 ? below(256) : [0, 1, 127, 128, 255][below(5)];
  return bytes;
}
