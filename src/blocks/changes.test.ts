import { expect, test } from 'vitest';
import { changeName, lineageOf, listedSources } from './changes.ts';

const ulid = (i: number) => `01HF4D3T0000000000000000${String(i).padStart(2, '0')}`;
const [A, B, C, REQUEST] = [1, 2, 3, 4].map(ulid);
const [REWRITTEN, AGAIN] = [5, 6].map(ulid);

test('a change has a ULID of time zero, the same for the same id', () => {
  expect(changeName(REQUEST)).toBe('0000000000000000000000000004'.slice(2));
  for (const id of [`repair ${A}`, 'retention-0011']) {
    expect(changeName(id)).toMatch(/^0{10}[0-9A-HJKMNP-TV-Z]{16}$/);
    expect(changeName(id)).toBe(changeName(id));
  }
  expect(changeName(`repair ${A}`)).not.toBe(changeName(`repair ${B}`));
});

test('changes are told from blocks, and a list of both comes back', () => {
  const listed = listedSources(
    [{ sources: [B, A], changes: [changeName(REQUEST)] }],
    [A, B],
    ['retention-1'],
  );
  expect(listed).toEqual([...listed].sort());
  expect(lineageOf(listed, [])).toEqual({
    sources: [A, B],
    changes: [changeName(REQUEST), changeName('retention-1')].sort(),
  });
  expect(lineageOf([A, B], [])).toEqual({ sources: [A, B], changes: [] });
  // What Verona writes into `thanos.rewrites` repeats the sources.
  expect(lineageOf(listed, [[A, B]])).toEqual(lineageOf(listed, []));
});

test('what Thanos rewrote is made of what it was made of before, also when it is rewritten again and joined', () => {
  const once = lineageOf([REWRITTEN], [[A, B, changeName(REQUEST)]]);
  expect(once).toEqual({ sources: [A, B], changes: [changeName(REQUEST), changeName(REWRITTEN)].sort() });
  const twice = lineageOf([AGAIN], [[A, B], [REWRITTEN]]);
  expect(twice).toEqual({ sources: [A, B], changes: [changeName(REWRITTEN), changeName(AGAIN)].sort() });
  const joined = listedSources([twice, { sources: [C], changes: [] }], [AGAIN, C], []);
  // Thanos finds the block it rewrote, Verona what it was made of.
  expect(joined).toContain(AGAIN);
  expect(lineageOf(joined, [])).toEqual({ sources: [A, B, C], changes: twice.changes });
});
