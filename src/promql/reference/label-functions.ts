import { VeronaError } from '../../model/errors.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import { compileReplacement } from '../../model/regex-replace.ts';
import type { Call, Expr } from '../parser/ast.ts';
import { quote } from '../parser/go-text.ts';
import { joinRows } from './join-rows.ts';
import type { Row } from './rows.ts';
import { unwrapped } from './step-invariance.ts';

export function isValidLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed();
}

export function stringOf(expr: Expr): string {
  const inner = unwrapped(expr);
  return inner.kind === 'string' ? inner.value : '';
}

/** `label_replace(v, dst, replacement, src, regex)`. */
export function labelReplace({ args }: Call, rows: () => readonly Row[]): readonly Row[] {
  const [dst, template, src, regex] = args.slice(1).map(stringOf);
  const replace = compile(regex, template);
  if (!isValidLabelName(dst))
    throw new VeronaError('execution', `invalid destination label name in label_replace(): ${plain(dst)}`);
  return joinRows(
    rows().map((row) => {
      const value = replace(row.labels.get(src));
      return value === undefined ? row : withLabel(row, dst, value);
    }),
  );
}

function compile(regex: string, template: string): (text: string) => string | undefined {
  try {
    return compileReplacement(regex, template);
  } catch {
    throw new VeronaError('execution', `invalid regular expression in label_replace(): ${regex}`);
  }
}

/** `label_join(v, dst, separator, src…)`. */
export function labelJoin({ args }: Call, rows: () => readonly Row[]): readonly Row[] {
  const [dst, separator, ...sources] = args.slice(1).map(stringOf);
  for (const source of sources)
    if (!isValidLabelName(source))
      throw new VeronaError('execution', `invalid source label name in label_join(): ${plain(source)}`);
  if (!isValidLabelName(dst))
    throw new VeronaError('execution', `invalid destination label name in label_join(): ${plain(dst)}`);
  return joinRows(
    rows().map((row) => withLabel(row, dst, sources.map((source) => row.labels.get(source)).join(separator))),
  );
}

/** Bytes that are no text are shown as escapes. */
function plain(name: string): string {
  return quote(name).slice(1, -1);
}

/** A name that is given on purpose stays. */
function withLabel(row: Row, name: string, value: string): Row {
  return {
    ...row,
    labels: row.labels.with({ [name]: value }),
    dropName: name === METRIC_NAME ? false : row.dropName,
  };
}

/** The labels that an `absent` says are missing: those which the selector demands exactly, and once. */
export function absentLabels(expr: Expr): Labels {
  const inner = unwrapped(expr);
  if (inner.kind !== 'vector' && inner.kind !== 'matrix') return Labels.empty;
  const { matchers } = inner.kind === 'vector' ? inner : inner.selector;
  const known = new Map<string, string>();
  const seen = new Set<string>();
  for (const { name, type, value } of matchers) {
    if (name === METRIC_NAME) continue;
    if (type === '=' && !seen.has(name)) {
      known.set(name, value);
      seen.add(name);
    } else known.delete(name);
  }
  return Labels.from(known);
}
