import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseExpr } from './parse.ts';
import { prettyExpr } from './pretty.ts';

/** A query, `----`, and the lines Prometheus 3.14 formats it to. */
const GOLDEN = readFileSync(new URL('./testdata/pretty.txt', import.meta.url), 'utf8');
const CASES = GOLDEN.trim()
  .split('\n\n')
  .map((block) => block.split('\n----\n'));

test.each(CASES)('%s is formatted as Prometheus does', (query, formatted) => {
  expect(prettyExpr(parseExpr(query))).toBe(formatted);
});
