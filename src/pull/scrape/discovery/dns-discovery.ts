import type { DnsDiscoveryConfig } from '../../../config/scrape/discovery.ts';
import { Labels } from '../../../model/labels.ts';
import { type Clock, repeat } from '../../../platform/clock.ts';
import type { DnsRecord, RecordResolver } from '../../../platform/dns.ts';
import type { Logger } from '../../../platform/log.ts';
import type { ScrapeMetrics } from '../scrape-metrics.ts';
import type { Discovery, TargetGroup } from './target-group.ts';

export interface DnsDiscoveryDeps {
  readonly resolver: RecordResolver;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ScrapeMetrics;
}

/** Targets that DNS records name. A name that cannot be looked up keeps its targets; one that has no records has none. */
export class DnsDiscovery implements Discovery {
  readonly #config: DnsDiscoveryConfig;
  readonly #deps: DnsDiscoveryDeps;
  readonly #stop = new AbortController();
  readonly #groups = new Map<string, TargetGroup>();

  constructor(config: DnsDiscoveryConfig, deps: DnsDiscoveryDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  start(found: (groups: readonly TargetGroup[]) => void): void {
    const { refresh_interval, names } = this.#config;
    void repeat(
      this.#deps.clock,
      refresh_interval,
      this.#stop.signal,
      async () => {
        await Promise.all(names.map((name) => this.#refresh(name)));
        if (!this.#stop.signal.aborted) found([...this.#groups.values()]);
      },
      (error) => this.#complain('', error),
    );
  }

  stop(): void {
    this.#stop.abort();
  }

  async #refresh(name: string): Promise<void> {
    const { type } = this.#config;
    try {
      const records = await this.#deps.resolver.records(name, type);
      this.#groups.set(name, {
        source: name,
        targets: records.map((record) => this.#targetOf(name, record)),
        labels: Labels.empty,
      });
    } catch (error) {
      this.#complain(name, error);
    }
  }

  #targetOf(name: string, { target, port: own }: DnsRecord): Labels {
    const { type, port = own } = this.#config;
    // Meta labels have names as DNS has them, with the dot at the end.
    const fqdn = `${target.replace(/\.$/, '')}.`;
    const host = target.replace(/\.$/, '');
    return Labels.from({
      __address__: `${host.includes(':') ? `[${host}]` : host}:${type === 'SRV' ? own : port}`,
      __meta_dns_name: name,
      __meta_dns_srv_record_target: type === 'SRV' ? fqdn : '',
      __meta_dns_srv_record_port: type === 'SRV' ? String(own) : '',
      __meta_dns_mx_record_target: type === 'MX' ? fqdn : '',
      __meta_dns_ns_record_target: type === 'NS' ? fqdn : '',
    });
  }

  #complain(name: string, error: unknown): void {
    this.#deps.metrics.refreshFailures.inc({ mechanism: 'dns' });
    this.#deps.log.warn('a name was not looked up; its targets stay', { name, error: String(error) });
  }
}
