import { BatchDecoder } from '../../../chunkenc/batch-decoder.ts';
import { decodeLabels } from '../../../encoding/label-bytes.ts';
import { QueryKernel } from '../../../kernel/query-kernel.ts';
import { Labels } from '../../../model/labels.ts';
import type { ClientRequest, ClientResponse, HttpClient } from '../../../platform/http-client.ts';
import { parseMatchers } from '../../../promql/parser/parse.ts';
import { answerRemoteRead } from '../../../query/remote-read-answer.ts';
import type { AcceptanceData } from '../../../storage/acceptance.ts';
import { MemoryStorage } from '../../../storage/memory-storage.ts';

type Handler = (search: URLSearchParams, request: ClientRequest) => Promise<Partial<Answer>> | Partial<Answer>;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A Prometheus in memory behind its HTTP API: remote read (chunks, or samples only), labels, series, configuration. */
export class MemoryPrometheus implements HttpClient {
  readonly storage = new MemoryStorage();
  readonly url = 'http://prometheus';
  /** Whether remote read knows streamed chunks. */
  streams = true;
  isUp = true;
  yaml = 'global: {external_labels: {cluster: eu, replica: a}}';
  flags: Record<string, string> = {
    'storage.tsdb.min-block-duration': '2h',
    'storage.tsdb.max-block-duration': '2h',
  };
  metrics = '';
  /** Paths asked for, with their parameters. */
  readonly asked: string[] = [];
  readonly #decoder = new BatchDecoder(new QueryKernel());

  async add({ floats, histograms }: AcceptanceData): Promise<void> {
    const appender = this.storage.appender();
    for (const { labels, t, v } of floats) appender.append(labels, t, v);
    for (const { labels, t, histogram } of histograms) appender.appendHistogram(labels, t, histogram);
    await appender.commit();
  }

  async request(request: ClientRequest): Promise<ClientResponse> {
    request.signal.throwIfAborted();
    const { pathname, search, searchParams } = new URL(request.url);
    this.asked.push(pathname + search);
    if (!this.isUp) throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    const handler = this.#routes[pathname.replace(/label\/[^/]+/, 'label/:name')];
    if (!handler) return response({ status: 404 });
    return response(await handler(searchParams, request));
  }

  readonly #routes: Readonly<Record<string, Handler>> = {
    '/api/v1/read': (_search, { body }) => this.#read(body as Uint8Array),
    '/api/v1/labels': (search) => this.#labels(search, (labels) => [...labels].map(([name]) => name)),
    '/api/v1/label/:name/values': (search, { url }) => {
      const name = decodeURIComponent(/label\/([^/]+)/.exec(url)![1]);
      return this.#labels(search, (labels) => (labels.get(name) === '' ? [] : [labels.get(name)]));
    },
    '/api/v1/series': async (search) => json((await this.#select(search)).map((labels) => labels.toJSON())),
    '/api/v1/status/config': () => json({ yaml: this.yaml }),
    '/api/v1/status/flags': () => json(this.flags),
    '/metrics': () => ({ parts: [Buffer.from(this.metrics)] }),
  };

  async #read(body: Uint8Array): Promise<Partial<Answer>> {
    const { signal } = new AbortController();
    const request = this.streams ? body : await withoutStreams(body);
    const { headers = {}, parts, stream } = await answerRemoteRead(request, this.storage, this.#decoder, signal);
    return { headers: headers as Record<string, string>, parts: stream ?? (parts as Iterable<Uint8Array>) };
  }

  async #labels(search: URLSearchParams, of: (labels: Labels) => readonly string[]): Promise<Partial<Answer>> {
    const all = new Set((await this.#select(search)).flatMap(of));
    return json([...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  }

  async #select(search: URLSearchParams): Promise<Labels[]> {
    const [mint, maxt] = [Number(search.get('start')) * 1000, Number(search.get('end')) * 1000];
    const querier = await this.storage.querier(mint, maxt);
    const matchers = parseMatchers(search.get('match[]') ?? '{__name__!=""}');
    const found: Labels[] = [];
    const request = { matchers, mint, maxt, sorted: true };
    for await (const { seriesCount, labelBytes, labelOffsets } of querier.select(CTX, request))
      for (let i = 0; i < seriesCount; i++)
        found.push(decodeLabels(labelBytes, labelOffsets[i], labelOffsets[i + 1]));
    return found;
  }
}

const CTX = { signal: new AbortController().signal };

/** The request of a client that takes samples only. */
async function withoutStreams(body: Uint8Array): Promise<Uint8Array> {
  const { snappyCompress, snappyDecompress } = await import('../../../encoding/snappy.ts');
  const { encodeReadRequest, readReadRequest } = await import('../../../proto/remote-read.ts');
  const request = readReadRequest(snappyDecompress(body, 1 << 20));
  return snappyCompress(encodeReadRequest({ ...request, acceptedResponses: ['samples'] }));
}

function json(data: unknown): Partial<Answer> {
  return { parts: [Buffer.from(JSON.stringify({ status: 'success', data }))] };
}

function response({ status = 200, headers = {}, parts = [] }: Partial<Answer>): ClientResponse {
  return {
    status,
    header: (name) => headers[name] ?? '',
    body: (async function* () {
      for await (const part of parts) yield part;
    })(),
    text: async () => {
      throw new Error('not read as a whole');
    },
  };
}
