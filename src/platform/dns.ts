import { promises as dns } from 'node:dns';

/** Names to addresses. Errors are the system's. */
export interface Resolver {
  /** IPv4 and IPv6 addresses of a host. */
  addresses(host: string): Promise<readonly string[]>;
  /** Targets and ports of an SRV record. */
  services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

export class SystemResolver implements Resolver {
  async addresses(host: string): Promise<readonly string[]> {
    const found = await dns.lookup(host, { all: true });
    return found.map(({ address }) => address);
  }

  async services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]> {
    return dns.resolveSrv(name);
  }
}
