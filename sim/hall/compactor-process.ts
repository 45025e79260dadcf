import { BlockMarker } from '../../src/blocks/block-marker.ts';
import { DeletionRequests } from '../../src/blocks/deletion-requests.ts';
import { ownsEverything } from '../../src/cluster/assignment.ts';
import { staticAssignment } from '../../src/cluster/static-assignment.ts';
import { BudgetedRunner } from '../../src/compactor/budgeted-runner.ts';
import { Compactor, type RoundReport } from '../../src/compactor/compactor.ts';
import { DiskBudget } from '../../src/compactor/disk-budget.ts';
import { LocalRunner } from '../../src/compactor/local-runner.ts';
import { ownershipBy } from '../../src/compactor/ownership.ts';
import type { Disk } from '../../src/platform/disk.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { SeededRandom } from '../../src/platform/random.ts';
import { type Life, LifeClock } from '../life.ts';
import { ProcessBucket } from '../process-bucket.ts';
import { ProcessDisk } from '../process-disk.ts';
import { TraceLog } from '../trace.ts';
import { HOUR_MS } from './plan.ts';
import { SkewedClock } from './skewed-clock.ts';
import { type Hall, NO_SIGNAL, newCatalog } from './surroundings.ts';

const WORK_DIR = 'compactor';

export interface CompactorPlace {
  /** Which of all it is, from 0. */
  readonly index: number;
  readonly skewMs: number;
  readonly disk: Disk;
  readonly seed: number;
}

/** One life of a compactor, wired as `cmd/compactor-service.ts` does, without threads. */
export class CompactorProcess {
  readonly life: Life;
  readonly #compactor: Compactor;
  readonly #disk: Disk;

  constructor(hall: Hall, life: Life, { index, skewMs, disk: shared, seed }: CompactorPlace) {
    this.life = life;
    const { plan, trace } = hall;
    const random = new SeededRandom(seed);
    const clock = new SkewedClock(new LifeClock(hall.clock, life), skewMs);
    const pace = { slow: 0, delayMsMax: 0 };
    const disk = new ProcessDisk(shared, life, new SeededRandom(seed + 1), hall.clock, pace);
    const bucket = new ProcessBucket(hall.bucket, life, new SeededRandom(seed + 2));
    const log = new TraceLog(trace, { compactor: index });
    const metrics = new Metrics();
    this.#disk = disk;
    const local = new LocalRunner({ workDir: WORK_DIR, dedup: plan.dedup }, { bucket, disk, clock, random });
    this.#compactor = new Compactor(
      {
        rules: plan.rules,
        // Longer than any job may take: what one brings later would be there again.
        cleanup: { ...plan.cleanup, tenantDelayMs: 12 * HOUR_MS },
        ...(plan.retention && { retentionOf: () => plan.retention as never }),
        downsampling: plan.downsampling,
        concurrency: 2,
        intervalMs: plan.compactorIntervalMs,
      },
      {
        bucket,
        catalog: newCatalog(hall, bucket, clock, log),
        marker: new BlockMarker({ bucket, clock, log }),
        deletions: new DeletionRequests({ bucket, clock, random, log, metrics }),
        runner: new BudgetedRunner(local, new DiskBudget(disk, { dir: WORK_DIR, reserveBytes: 0, metrics })),
        ownership: ownershipBy(
          plan.sharesWork
            ? staticAssignment({ instance: index, instances: plan.compactors, replicationFactor: 1 })
            : ownsEverything,
        ),
        clock,
        log,
        metrics,
      },
    );
  }

  async start(): Promise<void> {
    await this.#disk.remove(WORK_DIR);
    await this.#compactor.start();
  }

  stop(): Promise<void> {
    return this.#compactor.stop();
  }

  /** One round, outside of those that run by themselves. */
  round(): Promise<RoundReport> {
    return this.#compactor.runRound(NO_SIGNAL);
  }

  /** Jobs that its last look at the tenants found. */
  get todo(): number {
    return this.#compactor.progress.todo().jobs;
  }
}
