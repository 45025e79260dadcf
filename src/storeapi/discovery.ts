import type { Resolver } from '../platform/dns.ts';

/**
 * Addresses of an endpoint as Thanos writes them:
 *
 *   host:port              itself
 *   dns+host:port          every address of the host
 *   dnssrv+name            host and port of every SRV record, each host looked up
 *   dnssrvnoa+name         the same, hosts left to the connection
 *
 * Rejects with the resolver's error.
 */
export async function resolveEndpoint(endpoint: string, resolver: Resolver): Promise<readonly string[]> {
  const at = endpoint.indexOf('+');
  const scheme = at < 0 ? '' : endpoint.slice(0, at);
  const rest = endpoint.slice(at + 1);
  switch (scheme) {
    case 'dns':
    case 'dnsdualstack': {
      const { host, port } = splitHostPort(rest);
      return (await resolver.addresses(host)).map((address) => joinHostPort(address, port));
    }
    case 'dnssrv': {
      const targets = await resolver.services(rest);
      const lists = await Promise.all(
        targets.map(async ({ name, port }) =>
          (await resolver.addresses(name)).map((address) => joinHostPort(address, String(port))),
        ),
      );
      return lists.flat();
    }
    case 'dnssrvnoa':
      return (await resolver.services(rest)).map(({ name, port }) => joinHostPort(name, String(port)));
    default:
      return [endpoint];
  }
}

function splitHostPort(text: string): { host: string; port: string } {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: text.slice(at + 1) };
}

function joinHostPort(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
