import { VeronaError } from '../../model/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { compileReplacement } from '../../model/regex-replace.ts';
import type { Batch } from './batch.ts';
import { LabelColumn } from './label-column.ts';
import { mergeRows } from './merge-rows.ts';
import { collect, Deferred, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';

/** `label_replace(v, dst, replacement, src, regex)`. */
export function labelReplace(context: QueryContext, child: Operator, args: readonly string[]): Operator {
  const [dst, template, src, regex] = args;
  const replace = compile(regex, template);
  requireName(dst, 'destination', 'label_replace');
  return relabel(context, child, dst, (labels) => replace(labels.get(src)));
}

function compile(regex: string, template: string): (value: string) => string | undefined {
  try {
    return compileReplacement(regex, template);
  } catch (cause) {
    if (cause instanceof VeronaError) throw cause;
    throw new VeronaError('execution', `invalid regular expression in label_replace(): ${regex}`, { cause });
  }
}

/** `label_join(v, dst, separator, src…)`. */
export function labelJoin(context: QueryContext, child: Operator, args: readonly string[]): Operator {
  const [dst, separator, ...sources] = args;
  for (const source of sources) requireName(source, 'source', 'label_join');
  requireName(dst, 'destination', 'label_join');
  return relabel(context, child, dst, (labels) =>
    sources.map((source) => labels.get(source)).join(separator),
  );
}

function requireName(name: string, role: string, func: string): void {
  if (name === '' || !name.isWellFormed())
    throw new VeronaError('execution', `invalid ${role} label name in ${func}(): ${name.toWellFormed()}`);
  requireShort(name, `the name of the ${role} label`);
}

/** Of a label that a query makes. A text of a few bytes can ask for gigabytes: `$1$1$1…`, or joins of a label with itself. */
const TEXT_LENGTH_MAX = 65_536;
/** A sample counts as 16 bytes. */
const SAMPLE_LENGTH = 16;

function requireShort(text: string, what: string): void {
  if (text.length > TEXT_LENGTH_MAX)
    throw new VeronaError('execution', `${what} has ${text.length} characters (limit ${TEXT_LENGTH_MAX})`);
}

/** `valueFor` gives what the label becomes; undefined leaves the row as it is. */
function relabel(
  context: QueryContext,
  child: Operator,
  dst: string,
  valueFor: (labels: Labels) => string | undefined,
): Operator {
  return new Deferred(child.grid, async () => {
    const rows = await collect(child, context);
    const changed = Array.from({ length: rows.count }, (_, row) => {
      const before = rows.labels.at(row);
      const value = valueFor(before);
      context.workedOn(value?.length ?? 0);
      if (value === undefined) return before;
      requireShort(value, `a value made for the label ${JSON.stringify(dst)}`);
      context.hold(Math.ceil(value.length / SAMPLE_LENGTH));
      return before.with({ [dst]: value });
    });
    const labels = LabelColumn.from(changed);
    return mergeRows({ ...rows, labels, nameDropped: dropsLeft(rows, labels, dst) }, context);
  });
}

/** A name that was just given is not the one to be dropped. */
function dropsLeft(rows: Batch, labels: LabelColumn, dst: string): Uint8Array | undefined {
  const { nameDropped } = rows;
  if (nameDropped === undefined || dst !== METRIC_NAME) return nameDropped;
  return nameDropped.map((dropped, row) => (labels.at(row) === rows.labels.at(row) ? dropped : 0));
}
