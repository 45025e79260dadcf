import { RE2JS } from 're2js';

type ReMatcher = ReturnType<RE2JS['matcher']>;

/**
 * A function that rewrites a text which the RE2 expression matches as a whole: the template's `$1`, `${1}`, `$name`,
 * `${name}` stand for groups (absent ones are empty), `$$` for a dollar. Undefined when the text does not match.
 * Throws when the expression is invalid.
 */
export function compileReplacement(source: string, template: string): (text: string) => string | undefined {
  const regex = RE2JS.compile(`^(?s:${source})$`);
  const parts = parseTemplate(template);
  const names = regex.namedGroups();
  return (text) => {
    const matcher = regex.matcher(text);
    if (!matcher.matches()) return undefined;
    return expand(parts, matcher, names);
  };
}

/** The template with the groups of the current match. */
function expand(parts: readonly Part[], matcher: ReMatcher, names: Readonly<Record<string, number>>): string {
  const groupCount = matcher.groupCount();
  return parts
    .map((part) => {
      if (part.text !== undefined) return part.text;
      const index = /^\d+$/.test(part.group) ? Number(part.group) : names[part.group];
      return index === undefined || index > groupCount ? '' : (matcher.group(index) ?? '');
    })
    .join('');
}

type Part =
  | { readonly text: string; readonly group?: undefined }
  | { readonly text?: undefined; readonly group: string };

/** As Go's regexp.Expand: the longest run of letters, digits and underscores after `$` is the name of a group. */
function parseTemplate(template: string): Part[] {
  const parts: Part[] = [];
  let rest = template;
  while (rest !== '') {
    const dollar = rest.indexOf('$');
    if (dollar === -1) break;
    if (dollar > 0) parts.push({ text: rest.slice(0, dollar) });
    rest = rest.slice(dollar);
    const reference = /^\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/u.exec(rest);
    if (reference === null) {
      parts.push({ text: '$' });
      rest = rest.slice(1);
      continue;
    }
    const group = reference[1] ?? reference[2];
    parts.push(group === undefined ? { text: '$' } : { group });
    rest = rest.slice(reference[0].length);
  }
  if (rest !== '') parts.push({ text: rest });
  return parts;
}

/** Every match of an RE2 expression in a text replaced by a template as above. Throws when the expression is invalid. */
export function replaceEvery(source: string, template: string, text: string): string {
  const regex = RE2JS.compile(source);
  const parts = parseTemplate(template);
  const names = regex.namedGroups();
  const matcher = regex.matcher(text);
  let replaced = '';
  let at = 0;
  while (matcher.find()) {
    replaced += text.slice(at, matcher.start()) + expand(parts, matcher, names);
    at = matcher.end();
  }
  return replaced + text.slice(at);
}

/** Whether an RE2 expression matches anywhere in a text. Throws when the expression is invalid. */
export function matchesSomewhere(source: string, text: string): boolean {
  return RE2JS.compile(source).matcher(text).find();
}
