import type { Metrics } from '../platform/metrics.ts';
import { type CountFamily, type CountMemory, SharedCounts } from '../platform/shared-counts.ts';

const OPERATION_NAMES = [
  'get',
  'get_range',
  'upload',
  'create',
  'exists',
  'attributes',
  'delete',
  'list',
] as const;
export type Operation = (typeof OPERATION_NAMES)[number];

/** What is looked for in a cache: pieces of files, or what is known of an object. */
const CACHED_ITEMS = ['subrange', 'attributes', 'meta'] as const;
export type CachedItem = (typeof CACHED_ITEMS)[number];

const byOperation = (name: string, help: string) => ({
  name: `verona_objstore_bucket_${name}`,
  help,
  label: 'operation',
  values: OPERATION_NAMES,
});
const byItem = (name: string, help: string) => ({
  name: `verona_objstore_cache_${name}`,
  help,
  label: 'item',
  values: CACHED_ITEMS,
});

const OPERATIONS: CountFamily = byOperation('operations_total', 'Operations asked of the bucket.');
const FAILURES: CountFamily = byOperation(
  'operation_failures_total',
  'Operations on the bucket that failed; a missing or already present object is no failure.',
);
const SECONDS: CountFamily = {
  ...byOperation(
    'operation_duration_seconds',
    'Time that successful operations on the bucket took; a listing takes until its last entry is read.',
  ),
  bounds: [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120],
};
const BYTES: CountFamily = {
  ...byOperation(
    'operation_transferred_bytes_total',
    'Bytes of objects read from and written to the bucket.',
  ),
  values: ['get', 'get_range', 'upload', 'create'],
};
const SECOND_READS: CountFamily = {
  name: 'verona_objstore_hedged_reads_total',
  help: 'Range reads that were asked a second time, by which question was answered first.',
  label: 'answered',
  values: ['first', 'second', 'none'],
};
const CACHE_REQUESTS: CountFamily = byItem('requests_total', 'Values that the cache was asked for.');
const CACHE_HITS: CountFamily = byItem('hits_total', 'Values that the cache had.');
const CACHE_BYTES: CountFamily = byItem('hit_bytes_total', 'Bytes of values that the cache had.');
const CACHE_FAILURES: CountFamily = byItem('failures_total', 'Calls that the cache did not answer well.');
const CACHE_DROPPED: CountFamily = byItem('dropped_total', 'Values that were not written to the cache.');

const FAMILIES = [
  OPERATIONS,
  FAILURES,
  SECONDS,
  BYTES,
  SECOND_READS,
  CACHE_REQUESTS,
  CACHE_HITS,
  CACHE_BYTES,
  CACHE_FAILURES,
  CACHE_DROPPED,
];

/**
 * What a process asks of its bucket and of the cache before it. Threads that are given the memory of one count with it, so
 * that whoever shows it shows all of them, also what a thread did that has died since.
 */
export class StoreCounts {
  readonly #counts: SharedCounts;

  constructor(memory?: CountMemory) {
    this.#counts = new SharedCounts(FAMILIES, memory);
  }

  /** New counts, on the page of `metrics`. */
  static shownIn(metrics: Metrics): StoreCounts {
    const counts = new StoreCounts();
    metrics.show(counts.#counts);
    return counts;
  }

  get memory(): CountMemory {
    return this.#counts.memory;
  }

  asked(operation: Operation): void {
    this.#counts.add(OPERATIONS, operation);
  }

  failed(operation: Operation): void {
    this.#counts.add(FAILURES, operation);
  }

  took(operation: Operation, ms: number): void {
    this.#counts.observe(SECONDS, operation, ms / 1000);
  }

  transferred(operation: 'get' | 'get_range' | 'upload' | 'create', bytes: number): void {
    this.#counts.add(BYTES, operation, bytes);
  }

  /** Bytes of objects that were read so far. */
  get bytesRead(): number {
    return this.#counts.count(BYTES, 'get') + this.#counts.count(BYTES, 'get_range');
  }

  get bytesWritten(): number {
    return this.#counts.count(BYTES, 'upload') + this.#counts.count(BYTES, 'create');
  }

  /** A read that was asked twice has ended. */
  hedged(answered: 'first' | 'second' | 'none'): void {
    this.#counts.add(SECOND_READS, answered);
  }

  cacheAsked(item: CachedItem, values: number): void {
    this.#counts.add(CACHE_REQUESTS, item, values);
  }

  cacheHit(item: CachedItem, values: number, bytes: number): void {
    this.#counts.add(CACHE_HITS, item, values);
    this.#counts.add(CACHE_BYTES, item, bytes);
  }

  cacheFailed(item: CachedItem): void {
    this.#counts.add(CACHE_FAILURES, item);
  }

  cacheDropped(item: CachedItem): void {
    this.#counts.add(CACHE_DROPPED, item);
  }
}
