import type { HttpDiscoveryConfig } from '../../../config/scrape/discovery.ts';
import { parseTargetListJson } from '../../../config/scrape/target-list.ts';
import { VeronaError } from '../../../model/errors.ts';
import { type Clock, repeat } from '../../../platform/clock.ts';
import type { Logger } from '../../../platform/log.ts';
import { ConfiguredClient, type ConfiguredClientDeps } from '../credentials.ts';
import type { ScrapeMetrics } from '../scrape-metrics.ts';
import { groupOf } from './static-discovery.ts';
import type { Discovery, TargetGroup } from './target-group.ts';

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export interface HttpDiscoveryDeps extends ConfiguredClientDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ScrapeMetrics;
  readonly userAgent: string;
}

/** Targets that a server tells, as JSON in the form of a file of targets. While it does not answer, those it told last stay. */
export class HttpDiscovery implements Discovery {
  readonly #config: HttpDiscoveryConfig;
  readonly #deps: HttpDiscoveryDeps;
  readonly #client: ConfiguredClient;
  readonly #stop = new AbortController();

  constructor(config: HttpDiscoveryConfig, deps: HttpDiscoveryDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#client = new ConfiguredClient(config, deps);
  }

  start(found: (groups: readonly TargetGroup[]) => void): void {
    const { clock, log, metrics } = this.#deps;
    const { refresh_interval, url } = this.#config;
    let last = '';
    void repeat(
      clock,
      refresh_interval,
      this.#stop.signal,
      async () => {
        const text = await this.#ask();
        if (text === last) return;
        const groups = parseTargetListJson({ file: url, text });
        last = text;
        found(groups.map((group, i) => groupOf(`${url}:${i}`, group, { __meta_url: url })));
      },
      (error) => {
        metrics.refreshFailures.inc({ mechanism: 'http' });
        log.warn('a server of targets was not asked; those it told stay', {
          url,
          error: (error as Error).message,
        });
      },
    );
  }

  stop(): void {
    this.#stop.abort();
    this.#client.close();
  }

  async #ask(): Promise<string> {
    const { url, refresh_interval } = this.#config;
    const controller = new AbortController();
    const cancel = this.#deps.clock.after(refresh_interval, () =>
      controller.abort(new VeronaError('timeout', `no answer within ${refresh_interval} ms`)),
    );
    const headers = {
      accept: 'application/json',
      'user-agent': this.#deps.userAgent,
      'x-prometheus-refresh-interval-seconds': String(refresh_interval / 1000),
    };
    try {
      const signal = AbortSignal.any([controller.signal, this.#stop.signal]);
      const response = await this.#client.request({ method: 'GET', url, headers, signal });
      const bytes = await response.bytes(ANSWER_BYTES_MAX);
      if (response.status !== 200)
        throw new VeronaError('unavailable', `server returned HTTP status ${response.status}`);
      const type = response.header('content-type');
      if (!/^\s*application\/json\b/i.test(type))
        throw new VeronaError('bad_data', `unsupported content type ${JSON.stringify(type)}`);
      if (bytes === undefined) throw new VeronaError('too_large', `more than ${ANSWER_BYTES_MAX} bytes`);
      return bytes.toString('utf8');
    } finally {
      cancel();
    }
  }
}
