import { snappyCompress } from '../../encoding/snappy.ts';
import { VeronaError } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { ClientResponse, HttpClient } from '../../platform/http-client.ts';
import { encodeReadRequest, type ReadQuery } from '../../proto/remote-read.ts';

/** What a Prometheus says of itself. */
export interface PrometheusConfig {
  readonly externalLabels: Labels;
  /** How far back samples may still come, ms. */
  readonly outOfOrderWindowMs: number;
  readonly flags: Readonly<Record<string, string>>;
}

/** Reads the text of its configuration. */
export type ReadPrometheusFile = (yaml: string) => Omit<PrometheusConfig, 'flags'>;

export interface PrometheusAnswer<T> {
  readonly data: T;
  readonly warnings: readonly string[];
}

const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/** A Prometheus server, over its HTTP API. Errors name it and are `unavailable` when it cannot be reached. */
export class PrometheusClient {
  readonly #url: string;
  readonly #http: HttpClient;

  readonly #readFile: ReadPrometheusFile;

  /** `url` may have a path, as `--web.external-url` gives it. */
  constructor(url: string, http: HttpClient, readFile: ReadPrometheusFile) {
    this.#url = url.replace(/\/+$/, '');
    this.#http = http;
    this.#readFile = readFile;
  }

  get url(): string {
    return this.#url;
  }

  async config(signal: AbortSignal): Promise<PrometheusConfig> {
    const [config, flags] = await Promise.all([
      this.get<{ yaml: string }>('/api/v1/status/config', {}, signal),
      this.get<Record<string, string>>('/api/v1/status/flags', {}, signal),
    ]);
    return { ...this.#readFile(config.data.yaml), flags: flags.data };
  }

  /** Of the oldest sample in its storage, ms, by its own metrics; undefined when they do not tell. */
  async oldestTimestamp(signal: AbortSignal): Promise<number | undefined> {
    const response = await this.#request('/metrics', { method: 'GET' }, signal);
    if (response.status !== 200) throw await this.#failure('/metrics', response);
    const text = await boundedText(response, `${this.#url}/metrics`);
    const seconds = Number(/^prometheus_tsdb_lowest_timestamp_seconds (\S+)$/m.exec(text)?.[1]);
    return Number.isFinite(seconds) ? seconds * 1000 : undefined;
  }

  /** Of all series at any time, without external labels. */
  async labelNames(signal: AbortSignal): Promise<readonly string[]> {
    return (await this.get<string[]>('/api/v1/labels', {}, signal)).data;
  }

  /** Makes it read its configuration again; resolves when it did. `execution` when it does not allow it, or the configuration is not good. */
  async reload(signal: AbortSignal): Promise<void> {
    const response = await this.#request('/-/reload', { method: 'POST' }, signal);
    if (response.status === 200) return void (await boundedText(response, '/-/reload'));
    const failure = await this.#failure('/-/reload', response);
    const hint = response.status === 403 ? '; is it started with --web.enable-lifecycle?' : '';
    throw new VeronaError('execution', failure.message + hint);
  }

  /** The answer to a read request: a stream of chunks when Prometheus can, samples otherwise. */
  async read(query: ReadQuery, signal: AbortSignal): Promise<ClientResponse> {
    const request = { queries: [query], acceptedResponses: ['streamed_chunks', 'samples'] as const };
    const body = Uint8Array.from(snappyCompress(encodeReadRequest(request)));
    const headers = {
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'x-prometheus-remote-read-version': '0.1.0',
    };
    const response = await this.#request('/api/v1/read', { method: 'POST', headers, body }, signal);
    if (response.status !== 200) throw await this.#failure('/api/v1/read', response);
    return response;
  }

  /** `data` of a successful answer of the API. */
  async get<T>(
    path: string,
    parameters: Readonly<Record<string, string | readonly string[]>>,
    signal: AbortSignal,
  ): Promise<PrometheusAnswer<T>> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
      for (const one of typeof value === 'string' ? [value] : value) search.append(name, one);
    const query = search.size > 0 ? `?${search}` : '';
    const response = await this.#request(path + query, { method: 'GET' }, signal);
    if (response.status !== 200) throw await this.#failure(path, response);
    const text = await boundedText(response, `${this.#url}${path}`);
    try {
      const { data, warnings = [] } = JSON.parse(text) as { data: T; warnings?: readonly string[] };
      return { data, warnings };
    } catch (cause) {
      throw new VeronaError('corrupt', `${this.#url}${path}: the answer is not JSON`, { cause });
    }
  }

  async #request(
    path: string,
    rest: { method: 'GET' | 'POST'; headers?: Record<string, string>; body?: Uint8Array<ArrayBuffer> },
    signal: AbortSignal,
  ): Promise<ClientResponse> {
    try {
      const response = await this.#http.request({ ...rest, url: this.#url + path, signal });
      return {
        ...response,
        header: (name) => response.header(name),
        body: this.#bodyOf(path, response, signal),
      };
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const reason =
        cause instanceof Error ? ((cause.cause as Error | undefined)?.message ?? cause.message) : cause;
      throw new VeronaError('unavailable', `Prometheus at ${this.#url} cannot be reached: ${reason}`, {
        cause,
      });
    }
  }

  /** Its errors say where they come from, too. */
  async *#bodyOf(path: string, { body }: ClientResponse, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const message = `${this.#url}${path}: the answer broke off: ${(cause as Error).message}`;
      throw new VeronaError('unavailable', message, { cause });
    }
  }

  async #failure(path: string, response: ClientResponse): Promise<VeronaError> {
    const text = await boundedText(response, path).catch(() => '');
    const code = response.status >= 500 ? 'unavailable' : 'execution';
    return new VeronaError(
      code,
      `${this.#url}${path}: status ${response.status}: ${JSON.stringify(text.slice(0, 300))}`,
    );
  }
}

async function boundedText(response: ClientResponse, where: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX)
      throw new VeronaError('limit', `${where}: the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
