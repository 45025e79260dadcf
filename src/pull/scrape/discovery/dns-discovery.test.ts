import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../../sim/clock.ts';
import type { DnsDiscoveryConfig } from '../../../config/scrape/discovery.ts';
import type { DnsRecord } from '../../../platform/dns.ts';
import { silentLogger } from '../../../platform/log.ts';
import { Metrics } from '../../../platform/metrics.ts';
import { ScrapeMetrics } from '../scrape-metrics.ts';
import { DnsDiscovery } from './dns-discovery.ts';

/** Discovers with records in memory, which may be changed; an error stands for a name that cannot be looked up. */
async function discover(
  config: Partial<DnsDiscoveryConfig>,
  records: Map<string, readonly DnsRecord[] | Error>,
) {
  const clock = new SimulatedClock(0);
  let targets: Record<string, string>[] = [];
  const discovery = new DnsDiscovery(
    { names: [...records.keys()], refresh_interval: 30_000, type: 'SRV', port: undefined, ...config },
    {
      resolver: {
        records: async (name) => {
          const found = records.get(name) ?? [];
          if (found instanceof Error) throw found;
          return found;
        },
      },
      clock,
      log: silentLogger,
      metrics: new ScrapeMetrics(new Metrics()),
    },
  );
  discovery.start((groups) => {
    targets = groups.flatMap((group) => group.targets.map((target) => target.toJSON()));
  });
  await clock.advance(0);
  return { clock, discovery, targets: () => targets };
}

test('an SRV record is a target under its port', async () => {
  const found = await discover({}, new Map([['_m._tcp.x', [{ target: 'h.x', port: 9100 }]]]));
  expect(found.targets()).toEqual([
    {
      __address__: 'h.x:9100',
      __meta_dns_name: '_m._tcp.x',
      __meta_dns_srv_record_port: '9100',
      __meta_dns_srv_record_target: 'h.x.',
    },
  ]);
  found.discovery.stop();
});

test('addresses and mail servers are targets under the port of the configuration', async () => {
  const addresses = [
    { target: '10.0.0.1', port: undefined },
    { target: 'fd00::1', port: undefined },
  ];
  const hosts = await discover({ type: 'AAAA', port: 80 }, new Map([['x', addresses]]));
  expect(hosts.targets().map((target) => target.__address__)).toEqual(['10.0.0.1:80', '[fd00::1]:80']);
  const mail = await discover(
    { type: 'MX', port: 25 },
    new Map([['x', [{ target: 'mx.x', port: undefined }]]]),
  );
  expect(mail.targets()).toEqual([
    { __address__: 'mx.x:25', __meta_dns_mx_record_target: 'mx.x.', __meta_dns_name: 'x' },
  ]);
  hosts.discovery.stop();
  mail.discovery.stop();
});

test('a name that cannot be looked up keeps its targets; one without records has none', async () => {
  const records = new Map<string, readonly DnsRecord[] | Error>([['x', [{ target: 'a', port: 1 }]]]);
  const found = await discover({}, records);
  records.set('x', new Error('SERVFAIL'));
  await found.clock.advance(30_000);
  expect(found.targets()).toHaveLength(1);
  records.set('x', []);
  await found.clock.advance(30_000);
  expect(found.targets()).toEqual([]);
  found.discovery.stop();
});
