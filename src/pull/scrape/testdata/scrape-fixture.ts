import { SimulatedClock } from '../../../../sim/clock.ts';
import type { DiscoveryConfig } from '../../../config/scrape/discovery.ts';
import { decodeLabels } from '../../../encoding/label-bytes.ts';
import { loadScrapeFile } from '../../../config/scrape/scrape-file.ts';
import { isStale } from '../../../model/sample.ts';
import { silentLogger } from '../../../platform/log.ts';
import { MemoryDisk } from '../../../platform/memory-disk.ts';
import { Metrics } from '../../../platform/metrics.ts';
import type { OpenWebClient, WebRequest, WebResponse } from '../../../platform/web-client.ts';
import type { SeriesWriter } from '../../../storage/series-writer.ts';
import type { Db } from '../../../tsdb/db.ts';
import { decodeSamples } from '../../../tsdb/head/clip-chunk.ts';
import { chunksOf } from '../../../tsdb/head/complete-slice.ts';
import { admitAll } from '../../../tsdb/head/series-table.ts';
import { answer, EVERYTHING, openDb, T0 } from '../../../tsdb/testdata/db-fixture.ts';
import { FileDiscovery } from '../discovery/file-discovery.ts';
import { HttpDiscovery } from '../discovery/http-discovery.ts';
import { StaticDiscovery } from '../discovery/static-discovery.ts';
import { ScrapeMetrics } from '../scrape-metrics.ts';
import { Scraper } from '../scraper.ts';

/** What a web server in memory answers; undefined: never. */
export interface MemoryAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Web servers in memory, by URL. */
export class MemoryWeb {
  readonly requests: WebRequest[] = [];
  readonly #answers = new Map<string, (request: WebRequest) => MemoryAnswer | Error | undefined>();

  serve(url: string, handle: (request: WebRequest) => MemoryAnswer | Error | undefined): void {
    this.#answers.set(url, handle);
  }

  readonly open: OpenWebClient = () => ({
    request: async (request) => {
      this.requests.push(request);
      const answer = this.#answers.get(request.url)?.(request) ?? undefined;
      if (answer instanceof Error) throw answer;
      if (answer !== undefined) return responseOf(answer);
      if (!this.#answers.has(request.url)) throw new Error(`connect ECONNREFUSED ${request.url}`);
      return new Promise((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason as Error), { once: true });
      });
    },
    close() {},
  });
}

function responseOf({ status = 200, headers = {}, body }: MemoryAnswer): WebResponse {
  const bytes = Buffer.from(body);
  const known: Readonly<Record<string, string>> = { 'content-type': 'text/plain; version=0.0.4', ...headers };
  return {
    status,
    statusText: status === 200 ? 'OK' : 'Internal Server Error',
    header: (name) => known[name] ?? '',
    bytes: async (max) => (bytes.length > max ? undefined : bytes),
    body: (async function* () {
      yield bytes;
    })(),
  };
}

/** A scraper with everything around it in memory, on a clock that is moved by hand. */
export class Household {
  readonly clock = new SimulatedClock(T0);
  readonly web = new MemoryWeb();
  readonly disk = new MemoryDisk();
  readonly metrics = new Metrics();
  readonly db: Db;
  readonly scraper: Scraper;
  config: string;

  private constructor(db: Db, config: string, newClock: (house: Household) => void) {
    this.db = db;
    this.config = config;
    newClock(this);
    const metrics = new ScrapeMetrics(this.metrics);
    const writer: SeriesWriter = { write: (apply) => db.writeSeries(admitAll, apply) };
    const deps = {
      clock: this.clock,
      log: silentLogger,
      metrics,
      disk: this.disk,
      open: this.web.open,
      userAgent: 'test',
    };
    this.scraper = new Scraper(
      { concurrencyMax: 10, targetsMax: 100, instance: 'test' },
      {
        ...deps,
        writer,
        startTimes: false,
        readFile: () =>
          loadScrapeFile({ file: 'prometheus.yml', text: this.config }, '/etc', {}, async () => []),
        discover: (discovery: DiscoveryConfig) => [
          ...(discovery.static_configs.length > 0 ? [new StaticDiscovery(discovery.static_configs)] : []),
          ...discovery.file_sd_configs.map((one) => new FileDiscovery(one, deps)),
          ...discovery.http_sd_configs.map((one) => new HttpDiscovery(one, deps)),
        ],
      },
    );
  }

  static async open(config: string): Promise<Household> {
    let house: Household | undefined;
    const clock = { now: () => house?.clock.now() ?? T0, monotonic: () => house?.clock.monotonic() ?? 0, after: () => () => {} };
    const db = await openDb(new MemoryDisk(), clock);
    return new Household(db, config, (made) => {
      house = made;
    });
  }

  /** Samples by series, without those that tell how long a scrape took; times in seconds after the start, staleness markers as `stale`. */
  async samples(): Promise<Record<string, string>> {
    const querier = await this.db.querier(0, T0 * 2);
    const shown: Record<string, string> = {};
    const request = { matchers: EVERYTHING, mint: 0, maxt: T0 * 2, sorted: true };
    for await (const batch of querier.select({ signal: new AbortController().signal }, request))
      for (let i = 0; i < batch.seriesCount; i++) {
        const { labelBytes, labelOffsets } = batch;
        const series = decodeLabels(labelBytes, labelOffsets[i], labelOffsets[i + 1]).toString();
        if (series.includes('"scrape_')) continue;
        // Numbers in arrays lose what tells a staleness marker from another NaN: texts are made at once.
        const texts = [...chunksOf(batch, i)].flatMap((chunk) =>
          [...decodeSamples(chunk)].map(({ t, value }) => `${(t - T0) / 1000}:${textOf(value)}`),
        );
        shown[series] = texts.join(' ');
      }
    await querier.close();
    return shown;
  }

  /** Values of one series about the scrapes, in order. */
  async reported(name: string): Promise<number[]> {
    const found = await answer(this.db, 0, T0 * 2);
    const [, samples] = Object.entries(found).find(([series]) => series.includes(`"${name}"`)) ?? ['', []];
    return samples.map(([, v]) => v as number);
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'number') return isStale(value) ? 'stale' : String(value);
  const { sum, count } = value as { sum: number; count: number };
  return isStale(sum) ? 'stale' : `histogram(${count})`;
}
