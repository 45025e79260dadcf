import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { VeronaError } from '../model/errors.ts';

export type ClientAuth =
  | 'NoClientCert'
  | 'RequestClientCert'
  | 'RequireAnyClientCert'
  | 'VerifyClientCertIfGiven'
  | 'RequireAndVerifyClientCert';

/** Certificate, key and authorities in PEM. */
export interface TlsSettings {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
  readonly clientAuth: ClientAuth;
  readonly minVersion: 'TLS12' | 'TLS13';
}

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Throws `bad_data` when certificate and key do not make sense together. */
export function checkTls(settings: TlsSettings): void {
  try {
    createSecureContext(contextOf(settings));
  } catch (error) {
    throw new VeronaError('bad_data', `certificate, key or authority: ${(error as Error).message}`);
  }
}

/** For `https.createServer`. */
export function serverOptions(settings: TlsSettings) {
  return {
    ...contextOf(settings),
    requestCert: settings.clientAuth !== 'NoClientCert',
    rejectUnauthorized: settings.clientAuth === 'RequireAndVerifyClientCert',
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
}

/** Refuses connections whose client certificate is missing or not good, where Node's own options do not. */
export function guardClients(server: Server, clientAuth: ClientAuth): void {
  server.on('secureConnection', (socket: TLSSocket) => {
    const given = socket.getPeerX509Certificate() !== undefined;
    const isRefused =
      (clientAuth === 'RequireAnyClientCert' && !given) ||
      (clientAuth === 'VerifyClientCertIfGiven' && given && !socket.authorized);
    if (isRefused) socket.destroy();
  });
}

/** New connections get the new certificate and authorities; who must show a certificate stays as it was at the start. */
export function replaceContext(server: Server, settings: TlsSettings): void {
  server.setSecureContext(contextOf(settings));
}

function contextOf({ cert, key, clientCa, minVersion }: TlsSettings): SecureContextOptions {
  return { cert, key, ca: clientCa, minVersion: minVersion === 'TLS13' ? 'TLSv1.3' : 'TLSv1.2' };
}
