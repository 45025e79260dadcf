import type { Config } from '../config/schema.ts';
import { checkToken } from '../config/web-file.ts';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import { Access } from '../server/access.ts';
import { type ListenerAccess, OPEN_ACCESS } from '../server/http-server.ts';
import { checkTls } from '../server/tls.ts';
import type { GrpcAccess } from '../storeapi/grpc-server.ts';
import { type AccessReader, fileText, readAccess, WebAccess } from './web-access.ts';

/** TLS and credentials of the gRPC listener, read again when a file changes. Throws `bad_data`, never with a secret. */
export function openGrpcAccess(config: Config, disk: Disk, clock: Clock, log: Logger): Promise<WebAccess> {
  return WebAccess.watch('gRPC access', () => readGrpcAccess(config, disk), disk, clock, log);
}

/** Out of `grpc.config_file`, or of the single settings. */
export async function readGrpcAccess({ grpc }: Config, disk: Disk): ReturnType<AccessReader> {
  if (grpc.config_file === '') return readSettings(grpc, disk);
  const single = ['tls_cert_file', 'tls_key_file', 'tls_client_ca_file', 'bearer_token_file'] as const;
  const given = single.find((name) => grpc[name] !== '');
  if (given)
    throw new VeronaError('bad_data', `grpc.${given} belongs into grpc.config_file when there is one`);
  const read = await readAccess(grpc.config_file, disk);
  const auth = read.access.tls?.clientAuth ?? 'NoClientCert';
  if (auth !== 'NoClientCert' && auth !== 'RequireAndVerifyClientCert')
    throw new VeronaError(
      'bad_data',
      `${grpc.config_file}: client_auth_type: gRPC knows NoClientCert and RequireAndVerifyClientCert only`,
    );
  return read;
}

async function readSettings(grpc: Config['grpc'], disk: Disk): ReturnType<AccessReader> {
  const { tls_cert_file: cert, tls_key_file: key, tls_client_ca_file: ca, bearer_token_file: token } = grpc;
  const files = [cert, key, ca, token].filter((file) => file !== '');
  const text = (file: string) => fileText(file, disk);
  if ((cert === '') !== (key === '') || (ca !== '' && cert === ''))
    throw new VeronaError(
      'bad_data',
      'grpc.tls_cert_file and grpc.tls_key_file belong together; one is missing',
    );
  const tls: ListenerAccess['tls'] =
    cert === ''
      ? undefined
      : {
          cert: await text(cert),
          key: await text(key),
          clientCa: ca === '' ? undefined : await text(ca),
          clientAuth: ca === '' ? 'NoClientCert' : 'RequireAndVerifyClientCert',
          minVersion: 'TLS12',
        };
  if (tls) checkTls(tls);
  const tokens = token === '' ? [] : [{ token: checkToken(await text(token), token) }];
  return { access: { ...OPEN_ACCESS, tls, rules: { ...OPEN_ACCESS.rules, tokens } }, files };
}

/** For the listener: credentials are checked as those of HTTP are. */
export function toGrpcAccess({ tls, rules }: ListenerAccess): GrpcAccess {
  const access = new Access({ ...rules, openPaths: [] });
  return { tls, admit: (authorization) => access.admit('', authorization) };
}

/** Whether nobody comes in without a secret. */
export function needsSecret({ tls, rules }: ListenerAccess): boolean {
  return rules.users.length > 0 || rules.tokens.length > 0 || tls?.clientCa !== undefined;
}
