import { VeronaError } from '../../model/errors.ts';
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

const MATCH_TYPES = ['=', '!=', '=~', '!~'];
const INSIDE = 'label matching';
/** Where parsing goes on after something that does not belong into braces. */
const BRACE_ANCHORS = [',', '}'];

function parseMatchers(cursor: Cursor): Matcher[] {
  cursor.expect('{');
  const matchers: Matcher[] = [];
  while (!cursor.accept('}')) {
    const matcher = parseMatcher(cursor);
    cursor.count(cursor.peek());
    if (matcher !== undefined) matchers.push(matcher);
    if (!cursor.at(',', '}')) cursor.skipTo(BRACE_ANCHORS, { inside: INSIDE, expected: '"," or "}"' });
    cursor.accept(',');
  }
  return matchers;
}

/** `label="value"`, `"quoted label"=~"value"`, or `"quoted metric"`. Undefined when it is none of these. */
function parseMatcher(cursor: Cursor): Matcher | undefined {
  const expected = (what: string) => cursor.skipTo(BRACE_ANCHORS, { inside: INSIDE, expected: what });
  if (!cursor.at('identifier', 'string')) return void expected('identifier or "}"');
  const label = cursor.take();
  const name = label.type === 'string' ? unquote(label.text) : label.text;
  if (!cursor.at(...MATCH_TYPES)) {
    if (label.type === 'string') return new Matcher('=', METRIC_NAME, name);
    return void expected('label matching operator');
  }
  const type = cursor.take().type as MatchType;
  const value = cursor.accept('string');
  if (value === undefined) return void expected('string');
  try {
    return new Matcher(type, name, unquote(value.text));
  } catch (error) {
    if (!(error instanceof VeronaError) || error.code !== 'bad_data') throw error;
    cursor.problems.add({ start: label.start, end: value.end }, (error as Error).message);
    return undefined;
  }
}

/** Where parsing goes on after something that is no label of a grouping. */
const GROUPING_ANCHORS = [',', ')'];

/** `(a, b, "quoted c")` of by, without, on, ignoring, group_left, group_right. */
export function parseGroupingLabels(cursor: Cursor): readonly string[] {
  cursor.expect('(', { inside: 'grouping opts', expected: '"("' });
  const labels: string[] = [];
  while (!cursor.accept(')')) {
    labels.push(parseGroupingLabel(cursor));
    if (!cursor.at(',', ')'))
      cursor.skipTo(GROUPING_ANCHORS, { inside: 'grouping opts', expected: '"," or ")"' });
    cursor.accept(',');
  }
  return labels;
}

function parseGroupingLabel(cursor: Cursor): string {
  const token = cursor.peek();
  if (token.type !== 'string' && !isGroupingLabel(token)) {
    cursor.skipTo(GROUPING_ANCHORS, { inside: 'grouping opts', expected: 'label' });
    return '';
  }
  cursor.take();
  cursor.count(token);
  const label = token.type === 'string' ? unquote(token.text) : token.text;
  if (label === '' || !label.isWellFormed())
    cursor.problems.add(token, `invalid label name for grouping: ${quote(label)}`);
  return label;
}
