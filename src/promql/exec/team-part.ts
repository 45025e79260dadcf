import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { AggregatePlan, PlanNode } from '../plan/node.ts';
import type { Rank } from './candidates.ts';
import type { Grid } from './grid.ts';
import type { QueryContext } from './query-context.ts';
import type { PartResult, PlainRows, SeriesTeam, TeamMember } from './series-team.ts';

/** A member that is at work has one more batch waiting, so that it need not wait for this thread. */
const WAITING_MAX = 2;

/** A part of a plan that the threads of a team share: decides who takes which batch of its selector. */
export class TeamPart {
  readonly #context: QueryContext;
  readonly #team: SeriesTeam;
  readonly #rows: PlanNode;
  readonly #grid: Grid;
  /** Set once, by the aggregation that takes sums instead of rows. */
  aggregate: AggregatePlan | undefined;
  /** Set once, by the ranking that takes only what may be among the best. */
  rank: Rank | undefined;
  #members: readonly TeamMember[] | undefined;
  /** By member, for an analysis. */
  readonly #given: { batches: number; series: number }[] = [];
  /** By number of the batch: the rows that a member makes of it. */
  readonly #taken = new Map<number, Promise<readonly PlainRows[]>>();
  #count = 0;
  #isOpen = true;

  constructor(context: QueryContext, team: SeriesTeam, rows: PlanNode, grid: Grid) {
    this.#context = context;
    this.#team = team;
    this.#rows = rows;
    this.#grid = grid;
    context.whenDone(() => this.close());
  }

  /** How many batches there were so far. */
  get batchCount(): number {
    return this.#count;
  }

  /** Whether a member has taken the next batch, which must not be looked at any more then. */
  divert(batch: SeriesBatch): boolean {
    const number = this.#count++;
    // The first batch is often the only one.
    if (number === 0 || !this.#isOpen || !holdsFloats(batch)) return false;
    this.#members ??= this.#team.join(this.#request());
    const member = leastBusy(this.#members);
    if (member === undefined || member.waiting >= WAITING_MAX) return false;
    this.#noteGiven(this.#members.indexOf(member), batch);
    const rows = member.evaluate(batch);
    rows.catch(() => {});
    this.#taken.set(number, rows);
    return true;
  }

  /** The rows of a batch that a member has taken; undefined when this thread has it. */
  rowsOf(number: number): Promise<readonly PlainRows[]> | undefined {
    return this.#taken.get(number);
  }

  /** From here on this thread takes what comes. Resolves with what the members have come to. */
  async finish(): Promise<readonly PartResult[]> {
    this.#isOpen = false;
    await Promise.all(this.#taken.values());
    const results = await Promise.all((this.#members ?? []).map((member) => member.finish()));
    for (const result of results) this.#context.adopt(result);
    if (results.length > 0)
      this.#context.analysis?.helped(
        this.#rows,
        results.map(({ samplesRead }, i) => ({ ...(this.#given[i] ?? NOTHING_GIVEN), samplesRead })),
      );
    this.#members = undefined;
    return results;
  }

  #noteGiven(member: number, { seriesCount }: SeriesBatch): void {
    this.#given[member] ??= { batches: 0, series: 0 };
    this.#given[member].batches++;
    this.#given[member].series += seriesCount;
  }

  close(): void {
    this.#isOpen = false;
    for (const member of this.#members ?? []) member.close();
  }

  #request() {
    const { lookbackMs, start, end, step, batchCells, limits } = this.#context;
    const { aggregate } = this;
    return {
      rows: this.#rows,
      aggregate: aggregate && {
        op: aggregate.op,
        grouping: aggregate.grouping,
        without: aggregate.without,
      },
      rank: this.rank,
      grid: this.#grid,
      lookbackMs,
      start,
      end,
      step,
      batchCells,
      ...limits,
    };
  }
}

const NOTHING_GIVEN = { batches: 0, series: 0 };

function holdsFloats({ chunkEncoding, startTimes }: SeriesBatch): boolean {
  return startTimes === undefined && chunkEncoding.every((encoding) => encoding === ChunkEncoding.xor);
}

function leastBusy(members: readonly TeamMember[]): TeamMember | undefined {
  let least: TeamMember | undefined;
  for (const member of members) if (least === undefined || member.waiting < least.waiting) least = member;
  return least;
}
