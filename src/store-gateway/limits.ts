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
    check('series', this.#series, this.#limits.seriesMax);
  }

  takeChunks(count: number): void {
    this.#chunks += count;
    check('chunks', this.#chunks, this.#limits.chunksMax);
  }

  takeBytes(count: number): void {
    this.#bytes += count;
    check('bytes', this.#bytes, this.#limits.bytesMax);
  }
}

function check(what: string, used: number, max: number): void {
  if (max > 0 && used > max)
    throw new VeronaError('limit', `the query needs more than ${max} ${what} of blocks in the bucket`);
}
