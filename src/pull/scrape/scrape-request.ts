import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import type { ScrapeJob } from '../../config/scrape/job.ts';
import type { ScrapeProtocol } from '../../config/scrape/scrape-config.ts';
import { type BodyLines, type BodyValues, openBody } from '../../kernel/scrape-kernel.ts';
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

/** What a target answered. */
export interface Scraped {
  readonly sent: Uint8Array;
  readonly isZipped: boolean;
  readonly contentType: string;
}

/** The body of a scrape, decompressed. Used within one turn of the event loop: the next one may lie in the same memory. */
export interface ScrapedBody {
  readonly bytes: Uint8Array;
  /** When its lines are those that were asked for. */
  readonly values: BodyValues | undefined;
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
    const contentType = response.header('content-type');
    if (!isZipped || sent.length <= INFLATED_AT_ONCE_MAX) return { sent, isZipped, contentType };
    try {
      const inflated = await gunzipAsync(sent, { maxOutputLength: this.#bodyMax });
      return { sent: this.#checked(inflated), isZipped: false, contentType };
    } catch (error) {
      throw inflateError(error as NodeJS.ErrnoException);
    }
  }

  /** Decompresses an answer, and looks for the values of `lines` in it. Throws what is wrong with it. */
  open({ sent, isZipped }: Scraped, lines: BodyLines | undefined): ScrapedBody {
    const isPlain = !isZipped && lines === undefined;
    const opened = isPlain ? undefined : openBody(sent, isZipped, this.#bodyMax, lines);
    if (opened !== undefined) return opened;
    if (!isZipped) return { bytes: sent, values: undefined };
    try {
      const inflated = gunzipSync(sent, { maxOutputLength: this.#bodyMax });
      return { bytes: this.#checked(inflated), values: undefined };
    } catch (error) {
      throw inflateError(error as NodeJS.ErrnoException);
    }
  }

  #checked(inflated: Buffer): Buffer {
    if (inflated.length >= this.#bodyMax) throw new BodySizeError();
    return inflated;
  }
}

function inflateError(cause: NodeJS.ErrnoException): VeronaError {
  if (cause instanceof BodySizeError) return cause;
  if (cause.code === 'ERR_BUFFER_TOO_LARGE') return new BodySizeError();
  return new VeronaError('bad_data', `gzip: ${cause.message}`, { cause });
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
