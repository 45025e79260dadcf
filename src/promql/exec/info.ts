import { VeronaError } from '../../model/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { SelectPlan } from '../plan/node.ts';
import { type Batch, dropEmptyRows, Presence } from './batch.ts';
import type { Grid } from './grid.ts';
import { InstantSelect } from './instant-select.ts';
import { collect, Deferred, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import { RowBuilder } from './row-builder.ts';

/** The labels by which a series finds its info series, as Prometheus fixes them for now. */
const IDENTIFYING = ['instance', 'job'] as const;
const NEVER_COPIED: ReadonlySet<string> = new Set([...IDENTIFYING, METRIC_NAME]);

/**
 * `info(v, {…})`: every sample of `v` with the data labels of the info series that has the same identifying labels at
 * that time. `select` reads the info series; its matchers other than those of the name say which labels are wanted.
 */
export function infoCall(context: QueryContext, child: Operator, select: SelectPlan, grid: Grid): Operator {
  return new Deferred(grid, async () => {
    const base = await collect(child, context);
    const info = await collect(new InstantSelect(context, select, grid), context);
    const times = await collect(new InstantSelect(context, { ...select, value: 'timestamp' }, grid), context);
    return dropEmptyRows(new Enrichment(base, info, times, select.source.matchers).run());
  });
}

class Enrichment {
  readonly #base: Batch;
  readonly #info: Batch;
  readonly #times: Batch;
  readonly #nameMatchers: readonly Matcher[];
  /** Names of the labels wanted; empty for all. */
  readonly #wanted: ReadonlySet<string>;
  /** Samples without any info series stay. */
  readonly #keepsBare: boolean;
  readonly #byIdentity = new Map<string, number[]>();

  constructor(base: Batch, info: Batch, times: Batch, matchers: readonly Matcher[]) {
    this.#base = base;
    this.#info = info;
    this.#times = times;
    this.#nameMatchers = matchers.filter(({ name }) => name === METRIC_NAME);
    const data = matchers.filter(({ name }) => name !== METRIC_NAME);
    this.#wanted = new Set(data.map(({ name }) => name));
    this.#keepsBare = data.every((matcher) => matcher.matchesEmpty);
    for (let row = 0; row < info.count; row++) {
      const key = identityOf(info.labels.at(row));
      const rows = this.#byIdentity.get(key);
      if (rows === undefined) this.#byIdentity.set(key, [row]);
      else rows.push(row);
    }
  }

  run(): Batch {
    const { steps } = this.#base;
    const histogram = this.#info.presence.indexOf(Presence.histogram);
    if (histogram !== -1)
      throw new VeronaError(
        'execution',
        `this should be an info metric, with float samples: ${this.#info.labels.at(Math.floor(histogram / steps))}`,
      );
    this.#refuseDuplicates();
    const out = new RowBuilder(steps, this.#base.count);
    for (let row = 0; row < this.#base.count; row++) this.#enrichRow(row, out);
    return out.finish();
  }

  /**
   * Prometheus asks for info series with an instance and a job that some row has, be it another row for each, and refuses
   * duplicates among all of them.
   */
  #refuseDuplicates(): void {
    const { steps, presence } = this.#base;
    const others = this.#base.labels.toArray().filter((labels) => !this.#isInfo(labels));
    const known = IDENTIFYING.filter((name) => others.some((labels) => labels.has(name)));
    const values = known.map((name) => new Set(others.map((labels) => labels.get(name))));
    const isAsked = (info: Labels) =>
      known.length > 0 && values.every((set, i) => set.has(info.get(known[i])));
    const asked = [...this.#byIdentity.values()].filter(
      (rows) => rows.length > 1 && isAsked(this.#info.labels.at(rows[0])),
    );
    if (asked.length === 0) return;
    const used = new Uint8Array(steps);
    for (let cell = 0; cell < presence.length; cell++) used[cell % steps] |= presence[cell];
    for (let step = 0; step < steps; step++)
      if (used[step] !== 0) for (const rows of asked) this.#newest(rows, step);
  }

  #isInfo(labels: Labels): boolean {
    return this.#nameMatchers.every((matcher) => matcher.matches(labels.get(METRIC_NAME)));
  }

  #enrichRow(row: number, out: RowBuilder): void {
    const labels = this.#base.labels.at(row);
    const dropped = this.#base.nameDropped?.[row] === 1;
    const isInfo = this.#isInfo(labels);
    const candidates = this.#byIdentity.get(identityOf(labels)) ?? [];
    const identified = IDENTIFYING.some((name) => labels.has(name));
    for (let step = 0; step < this.#base.steps; step++) {
      const cell = row * this.#base.steps + step;
      if (this.#base.presence[cell] === Presence.none) continue;
      let enriched: Labels | undefined = labels;
      if (!isInfo) enriched = this.#enrich(labels, identified ? this.#newest(candidates, step) : []);
      if (enriched === undefined) continue;
      const to = out.rowOf(enriched, dropped);
      if (out.has(to, step))
        throw new VeronaError('execution', 'vector cannot contain metrics with the same labelset');
      out.copy(to, step, this.#base, cell);
    }
  }

  /** For each info metric the row with the newest sample at a step. */
  #newest(candidates: readonly number[], step: number): readonly number[] {
    const { steps, presence, labels } = this.#info;
    const byName = new Map<string, number>();
    const timeOf = (row: number) => this.#times.values[row * steps + step];
    for (const row of candidates) {
      if (presence[row * steps + step] === Presence.none) continue;
      const name = labels.at(row).get(METRIC_NAME);
      const known = byName.get(name);
      if (known !== undefined && timeOf(known) === timeOf(row))
        throw new VeronaError(
          'execution',
          `found duplicate series for info metric: existing ${labels.at(known)} @ ${1000 * timeOf(known)}, new ${labels.at(row)} @ ${1000 * timeOf(row)}`,
        );
      if (known === undefined || timeOf(row) > timeOf(known)) byName.set(name, row);
    }
    return [...byName.values()];
  }

  /** Labels with those of the info series added; undefined when the sample must not stay without. */
  #enrich(labels: Labels, infoRows: readonly number[]): Labels | undefined {
    if (infoRows.length === 0) return this.#keepsBare ? labels : undefined;
    const added: Record<string, string> = {};
    for (const row of infoRows)
      for (const [name, value] of this.#info.labels.at(row)) {
        if (NEVER_COPIED.has(name) || labels.has(name)) continue;
        if (this.#wanted.size > 0 && !this.#wanted.has(name)) continue;
        if (added[name] !== undefined && added[name] !== value)
          throw new VeronaError('execution', `conflicting label: ${name}`);
        added[name] = value;
      }
    return labels.with(added);
  }
}

function identityOf(labels: Labels): string {
  return IDENTIFYING.map((name) => labels.get(name)).join('\xff');
}
