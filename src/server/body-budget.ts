import { VeronaError } from '../model/errors.ts';
import type { Counter, Gauge, Metrics } from '../platform/metrics.ts';

/** What the bodies of all requests under way may take together: many clients at once are refused rather than the process killed. */
export class BodyBudget {
  readonly #bytesMax: number;
  readonly #gauge: Gauge;
  readonly #refused: Counter;
  #bytes = 0;

  constructor(bytesMax: number, metrics: Metrics) {
    this.#bytesMax = bytesMax;
    this.#gauge = metrics.gauge(
      'verona_http_request_body_bytes',
      'Bytes of request bodies that were read and whose requests are not answered yet.',
    );
    this.#refused = metrics.counter(
      'verona_http_request_bodies_refused_total',
      'Requests refused because the bodies of all requests together were too large.',
    );
  }

  /** Counts bytes that were read, to be given back by `give`. Throws `unavailable`, counting nothing, when they are too many. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax) {
      this.#refused.inc();
      throw new VeronaError(
        'unavailable',
        `the bodies of all requests under way have more than ${this.#bytesMax} bytes together (http.max_request_bytes_in_flight); try again later`,
      );
    }
    this.#set(this.#bytes + bytes);
  }

  give(bytes: number): void {
    if (bytes > 0) this.#set(this.#bytes - bytes);
  }

  #set(bytes: number): void {
    this.#bytes = bytes;
    this.#gauge.set(bytes);
  }
}
