import type { Clock } from '../platform/clock.ts';
import type { Disk, DiskFile } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import { type BegunQuery, type QueryObserver, queryText } from './query-observer.ts';

/**
 * The queries that run now, in a file that outlives a crash (Prometheus' `queries.active`):
 *
 *     [{"query":"sum(x)","timestamp_sec":1700000000,"tenant":"a","kind":"range"}, NUL …
 *      └ entry 0, 1000 bytes: JSON, a comma, NULs; an entry that is free is all NULs ┘ └ entry 1 …
 *
 * A query is written when it has run for `WRITE_AFTER_MS`, so that short ones cost nothing; what a crash leaves is told in
 * the log of the next start. The file is never forced to stable storage: it is for crashes of the process.
 */
const ENTRY_BYTES = 1000;
const WRITE_AFTER_MS = 20;
/** Lines of a crash in the log. */
const TOLD_MAX = 20;

interface Running extends BegunQuery {
  readonly startedAt: number;
  readonly begunAt: number;
  /** Its entry in the file, once it is there. */
  slot: number | undefined;
}

export class ActiveQueries implements QueryObserver {
  readonly name = 'active queries';
  readonly #disk: Disk;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #running = new Map<number, Running>();
  readonly #free: number[];
  #file: DiskFile | undefined;
  #work = Promise.resolve();
  #stopTimer: (() => void) | undefined;
  #failed = false;

  /** `slots`: queries that run at once. */
  constructor(path: string, slots: number, disk: Disk, clock: Clock, log: Logger) {
    this.#disk = disk;
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#free = Array.from({ length: slots }, (_, i) => slots - 1 - i);
  }

  /** Tells what ran when the process before this one ended, and begins anew. A file that cannot be written is a warning. */
  async start(): Promise<void> {
    try {
      const left = (await this.#disk.stat(this.#path))
        ? parseActive(await this.#disk.readFile(this.#path))
        : [];
      if (left.length > 0)
        this.#log.warn(
          'these queries ran when the process ended the last time; one of them may have ended it',
          {
            count: left.length,
            queries: left.slice(0, TOLD_MAX),
          },
        );
      this.#file = await this.#disk.open(this.#path, 'write');
      await this.#file.truncate(0);
      await this.#file.writeAt([new TextEncoder().encode('[')], 0);
    } catch (error) {
      this.#fail(error);
    }
  }

  async stop(): Promise<void> {
    this.#stopTimer?.();
    await this.#work;
    await this.#file?.truncate(0).catch((error: unknown) => this.#fail(error));
    await this.#file?.close();
    this.#file = undefined;
  }

  began(query: BegunQuery): void {
    const [startedAt, begunAt] = [this.#clock.now(), this.#clock.monotonic()];
    this.#running.set(query.id, { ...query, startedAt, begunAt, slot: undefined });
    this.#schedule();
  }

  ended({ id }: BegunQuery): void {
    const query = this.#running.get(id);
    this.#running.delete(id);
    if (query?.slot === undefined) return;
    const { slot } = query;
    this.#write(slot, new Uint8Array(ENTRY_BYTES));
    this.#free.push(slot);
  }

  /** Those of a tenant, the longest first. */
  of(tenant: string): { query: string; kind: string; startedAtMs: number; runningMs: number }[] {
    const now = this.#clock.monotonic();
    return [...this.#running.values()]
      .filter((query) => query.tenant === tenant)
      .map(({ job, startedAt, begunAt }) => ({
        query: queryText(job),
        kind: job.kind,
        startedAtMs: startedAt,
        runningMs: Math.round(now - begunAt),
      }))
      .sort((a, b) => b.runningMs - a.runningMs);
  }

  #schedule(): void {
    this.#stopTimer ??= this.#clock.after(WRITE_AFTER_MS, () => {
      this.#stopTimer = undefined;
      this.#writeLong();
    });
  }

  #writeLong(): void {
    const now = this.#clock.monotonic();
    let waits = false;
    for (const query of this.#running.values()) {
      if (query.slot !== undefined) continue;
      if (now - query.begunAt < WRITE_AFTER_MS) waits = true;
      else {
        query.slot = this.#free.pop();
        if (query.slot !== undefined) this.#write(query.slot, entryOf(query));
      }
    }
    if (waits) this.#schedule();
  }

  #write(slot: number, bytes: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#work = this.#work
      .then(() => file.writeAt([bytes], 1 + slot * ENTRY_BYTES))
      .catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (!this.#failed)
      this.#log.warn('running queries are not noted: a crash will not tell which query it was', {
        file: this.#path,
        error: String(error),
      });
    this.#failed = true;
  }
}

function entryOf({ job, tenant, startedAt }: Running): Uint8Array {
  const encoder = new TextEncoder();
  let text = queryText(job);
  for (;;) {
    const entry = { query: text, timestamp_sec: Math.trunc(startedAt / 1000), tenant, kind: job.kind };
    const bytes = encoder.encode(`${JSON.stringify(entry)},`);
    if (bytes.length < ENTRY_BYTES || text === '') {
      const whole = new Uint8Array(ENTRY_BYTES);
      whole.set(bytes.subarray(0, ENTRY_BYTES - 1));
      return whole;
    }
    text = text.slice(0, Math.max(0, text.length - Math.max(1, Math.ceil((bytes.length - ENTRY_BYTES) / 6))));
  }
}

/** The entries of such a file, Prometheus' too; what is torn or foreign is left out. */
export function parseActive(bytes: Uint8Array): { query: string; [key: string]: unknown }[] {
  const text = new TextDecoder().decode(bytes).replace(/^\[/, '');
  return text.split('\0').flatMap((part) => {
    try {
      const entry: unknown = JSON.parse(part.replace(/,\s*$/, ''));
      return typeof entry === 'object' && entry !== null && 'query' in entry
        ? [entry as { query: string }]
        : [];
    } catch {
      return []; // Torn by the crash, or free.
    }
  });
}
