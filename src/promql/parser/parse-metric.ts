import { Labels, METRIC_NAME } from '../../model/labels.ts';
import { Cursor } from './cursor.ts';
import { DEFAULT_LIMITS } from './options.ts';
import { type Problem, parseError } from './problems.ts';
import { unquote } from './string-literal.ts';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;

/**
 * Reads the metric at the start of a text, `up{job="x"}`, and tells where it ends; what follows is not looked at.
 * Braces must touch the name. Throws `bad_data`.
 */
export function parseMetric(text: string): { readonly labels: Labels; readonly end: number } {
  const name = NAME.exec(text)?.[0] ?? '';
  if (text[name.length] !== '{') {
    if (name === '') throw parseError(text, [{ start: 0, end: 1, message: 'metric name or "{" expected' }]);
    return { labels: Labels.from([[METRIC_NAME, name]]), end: name.length };
  }
  const cursor = new Cursor(text.slice(name.length), {}, DEFAULT_LIMITS);
  const pairs = cursor.problems.attempt(() => parseLabelSet(cursor));
  if (pairs === undefined || cursor.problems.found.length > 0)
    throw parseError(
      text,
      cursor.problems.found.map((problem) => movedBy(name.length, problem)),
    );
  if (name !== '') pairs.push([METRIC_NAME, name]);
  return { labels: Labels.from(pairs), end: name.length + cursor.end };
}

function movedBy(length: number, { start, end, message }: Problem): Problem {
  return { start: start + length, end: end + length, message };
}

const INSIDE = 'label set';

function parseLabelSet(cursor: Cursor): [string, string][] {
  cursor.expect('{');
  const pairs: [string, string][] = [];
  while (!cursor.at('}')) {
    pairs.push(parseLabel(cursor));
    if (cursor.at('}')) break;
    cursor.expect(',', { inside: INSIDE, expected: '"," or "}"' });
  }
  cursor.take();
  return pairs;
}

function parseLabel(cursor: Cursor): [string, string] {
  if (!cursor.at('identifier', 'string'))
    return cursor.unexpected({ inside: INSIDE, expected: 'identifier or "}"' });
  const token = cursor.take();
  const name = token.type === 'string' ? unquote(token.text) : token.text;
  if (token.type === 'string' && !cursor.at('=')) return [METRIC_NAME, name];
  cursor.expect('=', { inside: INSIDE, expected: '"="' });
  const value = cursor.expect('string', { inside: INSIDE, expected: 'string' });
  return [name, unquote(value.text)];
}
