import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A new ULID: 10 characters of time (ms), 16 of chance, in Crockford's base 32; later ones sort after earlier ones. */
export function newUlid(clock: Clock, random: Random): string {
  let time = clock.now();
  let text = '';
  for (let i = 0; i < 10; i++) {
    text = ALPHABET[time % 32] + text;
    time = Math.floor(time / 32);
  }
  for (const byte of random.bytes(16)) text += ALPHABET[byte & 31];
  return text;
}

/** Another name for what was made at the same time: the same for the same 16 bytes or more of `digest`. */
export function renamedUlid(ulid: string, digest: Uint8Array): string {
  return ulid.slice(0, 10) + Array.from(digest.subarray(0, 16), (byte) => ALPHABET[byte & 31]).join('');
}

export function isUlid(text: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
}

/** When a ULID was made, ms. */
export function ulidTime(ulid: string): number {
  let time = 0;
  for (const character of ulid.slice(0, 10)) time = time * 32 + ALPHABET.indexOf(character);
  return time;
}
