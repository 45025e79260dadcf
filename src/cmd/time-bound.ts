import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';

/** A setting that is a time, or an age of now when it begins with `-`; `absent` when it is empty. Throws `bad_data` naming it. */
export function timeBoundOf(text: string, setting: string, clock: Clock, absent: number): () => number {
  const ageMs = text.startsWith('-') ? parseDuration(text.slice(1)) : undefined;
  if (ageMs !== undefined) return () => clock.now() - ageMs;
  const ms = text === '' ? absent : Date.parse(text);
  if (!Number.isNaN(ms)) return () => ms;
  throw new VeronaError(
    'bad_data',
    `${setting}: ${JSON.stringify(text)} is no time; write for example 2026-01-31T00:00:00Z, or -30d`,
  );
}
