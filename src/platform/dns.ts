import { promises as dns } from 'node:dns';

/** Names to addresses. Errors are the system's. */
export interface Resolver {
  /** IPv4 and IPv6 addresses of a host. */
  addresses(host: string): Promise<readonly string[]>;
  /** Targets and ports of an SRV record. */
  services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

export type RecordType = 'A' | 'AAAA' | 'SRV' | 'MX' | 'NS';

/** What a record names: an address or a host, with a port for SRV. */
export interface DnsRecord {
  readonly target: string;
  readonly port: number | undefined;
}

/** Records of names. */
export interface RecordResolver {
  /** Empty when the name has none. Other errors are the system's. */
  records(name: string, type: RecordType): Promise<readonly DnsRecord[]>;
}

const NOTHING_FOUND = new Set(['ENOTFOUND', 'ENODATA']);

export class SystemResolver implements Resolver, RecordResolver {
  async records(name: string, type: RecordType): Promise<readonly DnsRecord[]> {
    try {
      if (type === 'SRV')
        return (await dns.resolveSrv(name)).map(({ name: target, port }) => ({ target, port }));
      const targets =
        type === 'MX'
          ? (await dns.resolveMx(name)).map(({ exchange }) => exchange)
          : await dns.resolve(name, type);
      return (targets as string[]).map((target) => ({ target, port: undefined }));
    } catch (error) {
      if (NOTHING_FOUND.has((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
  }

  async addresses(host: string): Promise<readonly string[]> {
    const found = await dns.lookup(host, { all: true });
    return found.map(({ address }) => address);
  }

  async services(name: string): Promise<readonly { readonly name: string; readonly port: number }[]> {
    return dns.resolveSrv(name);
  }
}
