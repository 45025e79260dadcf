import type { DiskFile } from '../../platform/disk.ts';

/** The open file of a segment. */
export interface OpenSegment {
  readonly file: DiskFile;
  /** Whether something was written since the last sync began. */
  unsynced: boolean;
}

/**
 * Brings segments to stable storage. Syncs come one after the other, so no file is closed amid one; an ended segment whose
 * sync failed stays here, and the next sync begins with it.
 */
export class SegmentSyncs {
  readonly #syncFile: (file: DiskFile) => Promise<void>;
  /** Oldest first. */
  readonly #ended: OpenSegment[] = [];
  /** Never rejects. */
  #running: Promise<void> = Promise.resolve();

  constructor(syncFile: (file: DiskFile) => Promise<void>) {
    this.#syncFile = syncFile;
  }

  /** Takes over a segment that is complete, and closes it when it is synced. Rejects when a sync fails. */
  end(segment: OpenSegment): Promise<void> {
    this.#ended.push(segment);
    return this.sync(undefined);
  }

  /** Resolves when all ended segments and what was written to `current` before are on stable storage. */
  sync(current: OpenSegment | undefined): Promise<void> {
    const run = this.#running.then(async () => {
      await this.#syncEnded();
      if (current) await this.#syncOne(current);
    });
    this.#running = run.catch(() => undefined);
    return run;
  }

  /** Closes what has ended, synced or not, after the syncs under way. */
  async close(): Promise<void> {
    await this.#running;
    for (const { file } of this.#ended.splice(0)) await file.close();
  }

  async #syncEnded(): Promise<void> {
    for (let segment = this.#ended.at(0); segment; segment = this.#ended.at(0)) {
      await this.#syncOne(segment);
      await segment.file.close();
      this.#ended.shift();
    }
  }

  async #syncOne(segment: OpenSegment): Promise<void> {
    if (!segment.unsynced) return;
    segment.unsynced = false;
    try {
      await this.#syncFile(segment.file);
    } catch (error) {
      segment.unsynced = true;
      throw error;
    }
  }
}
