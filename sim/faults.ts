import { type FailingBucket, NO_FAULTS } from '../src/objstore/failing-bucket.ts';
import type { MemoryDisk } from '../src/platform/memory-disk.ts';
import type { Random } from '../src/platform/random.ts';
import type { FaultKind } from './plan.ts';
import type { DiskPace } from './process-disk.ts';

/** The faults that last a while; what ends a process at once is not among them. */
export type LastingFault = Exclude<FaultKind, 'kill' | 'power' | 'restart'>;

export interface Targets {
  readonly disk: MemoryDisk;
  readonly pace: DiskPace;
  readonly bucket: FailingBucket;
}

/** Turns faults of disk and bucket on, and off again after some steps. */
export class Faults {
  readonly #targets: Targets;
  readonly #random: Random;
  readonly #endsAt = new Map<LastingFault, number>();

  constructor(targets: Targets, random: Random) {
    this.#targets = targets;
    this.#random = random;
  }

  begin(kind: LastingFault, step: number): void {
    const { disk, pace, bucket } = this.#targets;
    const random = this.#random;
    this.#endsAt.set(kind, step + 1 + Math.floor(random.next() * 25));
    switch (kind) {
      case 'diskFull':
        disk.faults.bytesLeft = Math.floor(random.next() * 30_000);
        return;
      case 'readOnly':
        disk.faults.readOnly = true;
        return;
      case 'io':
        this.#failOperations();
        return;
      case 'slowDisk':
        Object.assign(pace, { slow: 0.2 * random.next(), delayMsMax: 3000 * random.next() });
        return;
      case 'bucketErrors':
        bucket.faults = {
          ...bucket.faults,
          errors: 0.3 * random.next(),
          lostAnswers: 0.3 * random.next(),
          halfWrites: 0.2 * random.next(),
          delays: 0.4 * random.next(),
          delayMsMax: 20_000,
        };
        return;
      case 'bucketDown':
        bucket.faults = { ...bucket.faults, errors: 1 };
        return;
      case 'staleLists':
        bucket.faults = { ...bucket.faults, staleLists: 0.5 };
        return;
    }
  }

  /** Ends those whose time is over; says which. */
  endDue(step: number): LastingFault[] {
    const due = [...this.#endsAt].filter(([, end]) => end <= step).map(([kind]) => kind);
    for (const kind of due) this.#end(kind);
    return due;
  }

  endAll(): void {
    for (const kind of this.#endsAt.keys()) this.#end(kind);
  }

  has(kind: LastingFault): boolean {
    return this.#endsAt.has(kind);
  }

  #failOperations(): void {
    const random = this.#random;
    const operations = (['read', 'write', 'sync'] as const).filter(() => random.next() < 0.5);
    const chance = random.next() < 0.3 ? 1 : random.next() * 0.3;
    this.#targets.disk.faults.fails = (operation) => operations.includes(operation) && random.next() < chance;
  }

  #end(kind: LastingFault): void {
    const { disk, pace, bucket } = this.#targets;
    this.#endsAt.delete(kind);
    if (kind === 'diskFull') disk.faults.bytesLeft = Number.POSITIVE_INFINITY;
    else if (kind === 'readOnly') disk.faults.readOnly = false;
    else if (kind === 'io') disk.faults.fails = () => false;
    else if (kind === 'slowDisk') Object.assign(pace, { slow: 0, delayMsMax: 0 });
    else if (kind === 'staleLists') bucket.faults = { ...bucket.faults, staleLists: 0 };
    else bucket.faults = { ...NO_FAULTS, staleLists: bucket.faults.staleLists };
  }
}
