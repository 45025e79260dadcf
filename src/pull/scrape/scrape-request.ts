import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import type { ScrapeJob } from '../../config/scrape/job.ts';
import type { ScrapeProtocol } from '../../config/scrape/scrape-config.ts';
import { VeronaError } from '../../model/errors.ts';
import type { ConfiguredClient } from './credentials.ts';
import type { MediaType } from './exposition/open-exposition.ts';

const gunzipAsync = promisify(gunzip);

/** A larger body of a job without a limit of its own is refused: it would not be an exposition. */
const BODY_MAX = 256 * 1024 * 1024;
/** Read of an answer that is none, so that the connection can be used again. */
const ERROR_BODY_MAX = 64 * 1024;
/** Smaller bodies are inflated at once: another thread would cost more than it takes. */
const INFLATED_AT_ONCE_MAX = 256 * 1024;

const MEDIA: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto:
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
};

export function mediaTypeOf(protocol: ScrapeProtocol): MediaType {
  return MEDIA[protocol].split(';')[0] as MediaType;
}

/** The body of a scrape, decompressed. */
export interface Scraped {
  readonly body: Uint8Array;
  readonly contentType: string;
}

/** The body is longer than `body_size_limit`. */
export class BodySizeError extends VeronaError {
  constructor() {
    super('limit', 'body size limit exceeded');
  }
}

/** Asks the targets of one job. */
export class ScrapeRequests {
  readonly #client: ConfiguredClient;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #bodyMax: number;

  constructor(job: ScrapeJob, client: ConfiguredClient, userAgent: string) {
    this.#client = client;
    this.#bodyMax = job.body_size_limit || BODY_MAX;
    this.#headers = {
      accept: acceptHeader(job),
      'accept-encoding': job.enable_compression ? 'gzip' : 'identity',
      'user-agent': userAgent,
    };
  }

  /** Rejects with what a person wants to read when the target is down. */
  async scrape(url: string, timeoutMs: number, signal: AbortSignal): Promise<Scraped> {
    const headers = {
      ...this.#headers,
      'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000),
    };
    const response = await this.#client.request({ method: 'GET', url, headers, signal });
    const sent = await response.bytes(response.status === 200 ? this.#bodyMax : ERROR_BODY_MAX);
    if (response.status !== 200)
      throw new VeronaError(
        'unavailable',
        `server returned HTTP status ${response.status} ${response.statusText}`.trimEnd(),
      );
    // As Prometheus: a body of just that length is too long.
    if (sent === undefined || sent.length >= this.#bodyMax) throw new BodySizeError();
    const isZipped = response.header('content-encoding').trim().toLowerCase() === 'gzip';
    return {
      body: isZipped ? await this.#inflate(sent) : sent,
      contentType: response.header('content-type'),
    };
  }

  async #inflate(sent: Buffer): Promise<Buffer> {
    const options = { maxOutputLength: this.#bodyMax };
    try {
      const inflated =
        sent.length <= INFLATED_AT_ONCE_MAX ? gunzipSync(sent, options) : await gunzipAsync(sent, options);
      if (inflated.length >= this.#bodyMax) throw new BodySizeError();
      return inflated;
    } catch (cause) {
      if (cause instanceof BodySizeError) throw cause;
      if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new BodySizeError();
      throw new VeronaError('bad_data', `gzip: ${(cause as Error).message}`, { cause });
    }
  }
}

/** What the target may answer, the best first, as Prometheus asks for it. */
export function acceptHeader({ scrape_protocols, metric_name_escaping_scheme }: ScrapeJob): string {
  let weight = Object.keys(MEDIA).length + 1;
  const parts = scrape_protocols.map((protocol) => {
    const escaping = protocol.endsWith('1.0.0') ? `;escaping=${metric_name_escaping_scheme}` : '';
    return `${MEDIA[protocol]}${escaping};q=0.${weight--}`;
  });
  return [...parts, `*/*;q=0.${weight}`].join(',');
}
