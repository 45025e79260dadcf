import { VeronaError } from '../model/errors.ts';

/** What one request may take out of the bucket; 0 is no limit. */
export interface RequestLimits {
  readonly seriesMax: number;
  readonly chunksMax: number;
  /** Bytes fetched: postings, series and chunks, with what lies between them. */
  readonly bytesMax: number;
}

export const DEFAULT_REQUEST_LIMITS: RequestLimits = {
  seriesMax: 1_000_000,
  chunksMax: 10_000_000,
  bytesMax: 4 * 1024 ** 3,
};

/** Counts what one request has taken, and ends it with `limit` when that is too much. */
export class RequestBudget {
  readonly #limits: RequestLimits;
  #series = 0;
  #chunks = 0;
  #bytes = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  takeSeries(count: number): void {
    this.#series += count;
    check('series', this.#series, this.#limits.seriesMax, '');
  }

  takeChunks(count: number): void {
    this.#chunks += count;
    check('chunks', this.#chunks, this.#limits.chunksMax, 'max_fetched_chunks_per_query');
  }

  takeBytes(count: number): void {
    this.#bytes += count;
    check('bytes', this.#bytes, this.#limits.bytesMax, 'max_downloaded_bytes_per_request');
  }
}

/** `setting` names the tenant's limit, if it is one. */
function check(what: string, used: number, max: number, setting: string): void {
  if (max === 0 || used <= max) return;
  const named = setting === '' ? '' : ` (limits.${setting})`;
  throw new VeronaError(
    'limit',
    `the query needs more than ${max} ${what} of blocks in the bucket${named}; narrow its matchers or its time`,
  );
}
