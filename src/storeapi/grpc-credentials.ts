import type { SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';

/** PEM texts. With `clientCa` only clients that show a certificate of it are let in. */
export interface TlsServerOptions {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
  readonly minVersion: 'TLS12' | 'TLS13';
}

/** TLS of a listener whose certificate and authorities can be replaced: new connections get the new ones. */
export class ReplaceableCredentials extends ServerCredentials {
  constructor(tls: TlsServerOptions) {
    // Who must show a certificate is decided when the listener is made.
    super({ requestCert: tls.clientCa !== undefined, ...contextOf(tls) }, contextOf(tls));
  }

  replace(tls: TlsServerOptions): void {
    this.updateSecureContextOptions(contextOf(tls));
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf({ cert, key, clientCa, minVersion }: TlsServerOptions): SecureContextOptions {
  return { cert, key, ca: clientCa, minVersion: minVersion === 'TLS13' ? 'TLSv1.3' : 'TLSv1.2' };
}
