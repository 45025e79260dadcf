import { METRIC_NAME } from '../../model/labels.ts';
import { Matcher, type MatchType } from '../../model/matcher.ts';
import type { VectorSelector } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { quote } from './go-text.ts';
import { unquote } from './string-literal.ts';
import { isGroupingLabel, type Token } from './token.ts';

/** `name`, `name{…}` or `{…}`; the name token, if any, has been taken. */
export function parseVectorSelector(cursor: Cursor, name: Token | undefined): VectorSelector {
  const start = name?.start ?? cursor.peek().start;
  const matchers = cursor.at('{') ? parseMatchers(cursor) : [];
  if (name !== undefined) matchers.push(new Matcher('=', METRIC_NAME, name.text));
  return cursor.node({
    kind: 'vector',
    name: name?.text ?? '',
    matchers,
    offset: undefined,
    at: undefined,
    anchored: false,
    smoothed: false,
    start,
    end: cursor.end,
  });
}

const MATCH_TYPES: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~']);
const INSIDE = 'label matching';

function parseMatchers(cursor: Cursor): Matcher[] {
  cursor.expect('{');
  const matchers: Matcher[] = [];
  while (!cursor.accept('}')) {
    const matcher = parseMatcher(cursor);
    cursor.count(cursor.peek());
    if (matcher !== undefined) matchers.push(matcher);
    if (!cursor.accept(',') && !cursor.at('}')) cursor.unexpected({ inside: INSIDE, expected: '"," or "}"' });
  }
  return matchers;
}

/** `label="value"`, `"quoted label"=~"value"`, or `"quoted metric"`. Undefined when its regex is none. */
function parseMatcher(cursor: Cursor): Matcher | undefined {
  if (!cursor.at('identifier', 'string'))
    return cursor.unexpected({ inside: INSIDE, expected: 'identifier or "}"' });
  const label = cursor.take();
  const name = label.type === 'string' ? unquote(label.text) : label.text;
  if (!MATCH_TYPES.has(cursor.peek().type)) {
    if (label.type === 'string') return new Matcher('=', METRIC_NAME, name);
    return cursor.unexpected({ inside: INSIDE, expected: 'label matching operator' });
  }
  const type = cursor.take().type as MatchType;
  const value = cursor.expect('string', { inside: INSIDE, expected: 'string' });
  try {
    return new Matcher(type, name, unquote(value.text));
  } catch (error) {
    cursor.problems.add({ start: label.start, end: value.end }, (error as Error).message);
    return undefined;
  }
}

/** `(a, b, "quoted c")` of by, without, on, ignoring, group_left, group_right. */
export function parseGroupingLabels(cursor: Cursor): readonly string[] {
  cursor.expect('(', { inside: 'grouping opts', expected: '"("' });
  const labels: string[] = [];
  while (!cursor.accept(')')) {
    labels.push(parseGroupingLabel(cursor));
    if (!cursor.accept(',') && !cursor.at(')'))
      cursor.unexpected({ inside: 'grouping opts', expected: '"," or ")"' });
  }
  return labels;
}

function parseGroupingLabel(cursor: Cursor): string {
  const token = cursor.peek();
  if (token.type !== 'string' && !isGroupingLabel(token))
    return cursor.unexpected({ inside: 'grouping opts', expected: 'label' });
  cursor.take();
  cursor.count(token);
  const label = token.type === 'string' ? unquote(token.text) : token.text;
  if (label === '') cursor.problems.add(token, `invalid label name for grouping: ${quote(label)}`);
  return label;
}
