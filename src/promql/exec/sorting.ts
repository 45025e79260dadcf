import { compareLabels } from '../../model/labels.ts';
import { warningText } from '../annotations.ts';
import { compareNatural } from '../functions/natural-order.ts';
import type { Span } from '../parser/ast.ts';
import { type Batch, Presence, pickRows } from './batch.ts';
import type { Grid } from './grid.ts';
import { collect, Deferred, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';

/** `sort` and `sort_desc`: floats by value, NaN last; histograms are left out. Order means something for instant queries only. */
export function sortByValue(
  context: QueryContext,
  child: Operator,
  descending: boolean,
  span: Span,
): Operator {
  return new Deferred(child.grid, async () => {
    warnInRange(context, child.grid, span);
    const batch = await collect(child, context);
    const rows: number[] = [];
    for (let row = 0; row < batch.count; row++) {
      context.workedOn(batch.steps);
      if (dropHistograms(batch, row)) rows.push(row);
    }
    if (batch.steps === 1)
      rows.sort((a, b) => {
        context.compared();
        return compareValues(batch.values[a], batch.values[b], descending);
      });
    return pickRows(batch, rows);
  });
}

function warnInRange(context: QueryContext, grid: Grid, span: Span): void {
  if (grid.count > 1) context.warn(warningText.sortInRangeQuery(), span);
}

/** Whether floats are left. */
function dropHistograms(batch: Batch, row: number): boolean {
  let floats = false;
  for (let cell = row * batch.steps; cell < (row + 1) * batch.steps; cell++) {
    if (batch.presence[cell] === Presence.histogram) batch.presence[cell] = Presence.none;
    if (batch.presence[cell] === Presence.float) floats = true;
  }
  return floats;
}

function compareValues(a: number, b: number, descending: boolean): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return descending ? b - a || 0 : a - b || 0;
}

/** `sort_by_label` and `sort_by_label_desc`: by the values of the labels in natural order, then by the whole label set. */
export function sortByLabels(
  context: QueryContext,
  child: Operator,
  names: readonly string[],
  descending: boolean,
  span: Span,
): Operator {
  return new Deferred(child.grid, async () => {
    warnInRange(context, child.grid, span);
    const batch = await collect(child, context);
    const labels = batch.labels.toArray();
    const sign = descending ? -1 : 1;
    const rows = labels.map((_, row) => row);
    rows.sort((a, b) => {
      context.compared();
      for (const name of names) {
        const order = compareNatural(labels[a].get(name), labels[b].get(name));
        if (order !== 0) return sign * order;
      }
      return sign * compareLabels(labels[a], labels[b]);
    });
    return pickRows(batch, rows);
  });
}
