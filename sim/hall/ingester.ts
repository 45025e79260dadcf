import { Shipper } from '../../src/blocks/shipper.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { MemoryDisk } from '../../src/platform/memory-disk.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { type Random, SeededRandom } from '../../src/platform/random.ts';
import { newUlid } from '../../src/tsdb/block/ulid.ts';
import { writeTestBlock } from '../../src/tsdb/compact/testdata/blocks.ts';
import { Life, LifeClock } from '../life.ts';
import { ProcessBucket } from '../process-bucket.ts';
import { ProcessDisk } from '../process-disk.ts';
import { TraceLog } from '../trace.ts';
import type { HallModel } from './model.ts';
import { BLOCK_MS, SCRAPE_MS, START_MS, type TenantPlan } from './plan.ts';
import { SkewedClock } from './skewed-clock.ts';
import { type Hall, NO_SIGNAL } from './surroundings.ts';

/** A block that is on its disk and not known to be in the bucket. */
export interface PendingBlock {
  readonly ulid: string;
  readonly metaKey: string;
}

const PACE = { slow: 0, delayMsMax: 0 };

/**
 * One of a tenant's ingesters, from the bucket's side: it makes blocks of samples that others have too, and ships them. Its
 * disk survives it.
 */
export class Ingester {
  readonly tenant: TenantPlan;
  readonly pending = new Map<string, PendingBlock>();
  readonly #hall: Hall;
  readonly #model: HallModel;
  readonly #replica: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #disk = new MemoryDisk();
  readonly #isUnsure: boolean;
  #life: Life | undefined;
  #shipper: Shipper | undefined;
  #round: Promise<unknown> = Promise.resolve();

  constructor(
    hall: Hall,
    tenant: TenantPlan,
    model: HallModel,
    replica: number,
    skewMs: number,
    random: Random,
  ) {
    this.#hall = hall;
    this.tenant = tenant;
    this.#model = model;
    this.#replica = replica;
    this.#clock = new SkewedClock(hall.clock, skewMs);
    this.#random = random;
    // A compactor that does not know of a deletion, or learns of it too late, joins what was there before it with what came after.
    this.#isUnsure = hall.plan.staleLists || hall.plan.skewMs > 15 * 60_000;
  }

  /** Cuts a block of the samples from mint on, to maxt (exclusive), of scrapes that are `offsetMs` after the full ones. */
  async cut(mint: number, maxt: number, offsetMs: number, isLate = false): Promise<void> {
    const samples = new Map<string, Map<number, number>>();
    for (let i = 0; i < this.tenant.series; i++) {
      const series = `{a="${i}"}`;
      const values = new Map<number, number>();
      for (let t = mint; t < maxt; t += SCRAPE_MS)
        if (this.#has() && !this.#model.isGone(series, t + offsetMs))
          values.set(t + offsetMs, sampleValue(i, t + offsetMs));
      if (values.size > 0) samples.set(series, values);
    }
    if (samples.size === 0) return;
    const ulid = newUlid(this.#clock, this.#random);
    this.#model.put(ulid, samples, (series, t) => this.#isUnsure && this.#model.isNamed(series, t));
    const series = Object.fromEntries(
      [...samples].map(([name, values]) => [
        JSON.stringify({ a: name.slice(4, -2) }),
        [...values].map(([t, value]) => ({ t, value })),
      ]),
    );
    await writeTestBlock(this.#disk, this.#dir, { ulid, minTime: mint, maxTime: maxt, series, isLate });
    const folder = this.tenant.layout === 'root' ? ulid : `${this.tenant.name}/${ulid}`;
    this.pending.set(ulid, { ulid, metaKey: `${folder}/meta.json` });
    this.#hall.trace.note(
      `${this.#name} cuts ${ulid} ${hours(mint)} … ${hours(maxt)}, ${offsetMs} ms after scrapes`,
    );
  }

  /** Begins to ship what there is, unless it does already. `operations`: it dies during the one after so many. */
  async ship(operations: number): Promise<void> {
    const life = this.#life && !this.#life.isOver ? this.#life : await this.#start();
    life.endAfter(operations);
    this.#round = (this.#shipper as Shipper).sync(NO_SIGNAL).catch((error: Error) => {
      this.#hall.trace.note(`${this.#name}: ${error.message}`);
    });
  }

  kill(): void {
    this.#life?.end();
  }

  /** Resolves when what it ships now is shipped, or it is dead. */
  async idle(): Promise<void> {
    await Promise.race([this.#round, new Promise<void>((resolve) => this.#life?.onEnd(resolve))]);
  }

  async #start(): Promise<Life> {
    const { clock, bucket, trace } = this.#hall;
    const life = new Life();
    const seed = Math.floor(this.#random.next() * 2 ** 32);
    const { name, layout } = this.tenant;
    const external = { replica: `r${this.#replica}` };
    this.#life = life;
    this.#shipper = await Shipper.open(
      {
        tenant: name,
        dir: this.#dir,
        layout,
        labels: layout === 'root' ? { ...external, cluster: 'c' } : external,
      },
      {
        bucket: new ProcessBucket(bucket, life, new SeededRandom(seed)),
        disk: new ProcessDisk(this.#disk, life, new SeededRandom(seed + 1), clock, PACE),
        clock: new SkewedClock(new LifeClock(clock, life), 0),
        random: new SeededRandom(seed + 2),
        log: new TraceLog(trace, { ingester: this.#name }),
        metrics: new Metrics(),
      },
    );
    return life;
  }

  get #dir(): string {
    return `data/${this.tenant.name}`;
  }

  get #name(): string {
    return `${this.tenant.name}-r${this.#replica}`;
  }

  /** Each of several replicas misses some scrapes. */
  #has(): boolean {
    return this.tenant.replicas === 1 || this.#random.next() < 0.85;
  }
}

/** The same in every replica. */
function sampleValue(series: number, t: number): number {
  return ((t - START_MS) / 1000) * 10 + series;
}

export function hours(t: number): string {
  return `${(t - START_MS) / (BLOCK_MS / 2)} h`;
}
