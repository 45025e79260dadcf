import { expect, test } from 'vitest';
import { checkToken, loadWebFile } from './web-file.ts';

const HASH = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';
const load = (text: string) =>
  loadWebFile({ file: 'web.yml', text }, '/etc/verona', { SECRET: 'from-the-environment' });

test('a file of Prometheus’ form gives certificates, users and headers, with paths beside the file', () => {
  const web = load(`
tls_server_config: {cert_file: verona.crt, key_file: /keys/verona.key, min_version: TLS13}
http_server_config: {http2: true, headers: {X-Frame-Options: deny}}
basic_auth_users: {alice: ${HASH}}
basic_auth_tenants: {alice: [acme]}
bearer_tokens: [{token: "\${SECRET}"}, {token_file: token, tenants: [acme, globex]}]
`);
  expect(web.tls_server_config).toEqual({
    cert_file: '/etc/verona/verona.crt',
    key_file: '/keys/verona.key',
    client_auth_type: 'NoClientCert',
    client_ca_file: undefined,
    min_version: 'TLS13',
  });
  expect(web.http_server_config.headers).toEqual({ 'X-Frame-Options': 'deny' });
  expect(web.basic_auth_users).toEqual({ alice: HASH });
  expect(web.bearer_tokens).toEqual([
    { token: 'from-the-environment' },
    { token_file: '/etc/verona/token', tenants: ['acme', 'globex'] },
  ]);
});

test.each([
  ['tls_server_config: {cert_file: a}', 'web.yml:1:20: tls_server_config.key_file'],
  [
    'tls_server_config: {cert_file: a, key_file: b, cipher_suites: []}',
    'unknown key tls_server_config.cipher_suites',
  ],
  ['tls_server_config: {cert_file: a, key_file: b, min_version: TLS10}', 'tls_server_config.min_version'],
  [
    'tls_server_config: {cert_file: a, key_file: b, client_auth_type: VerifyClientCertIfGiven}',
    'needs client_ca_file',
  ],
  [
    'tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}',
    'NoClientCert verifies no certificate',
  ],
  ['basic_auth_users: {alice: plain-secret-text}', 'basic_auth_users.alice: is no bcrypt hash'],
  ['basic_auth_tenants: {bob: [acme]}', 'basic_auth_tenants.bob: is not among basic_auth_users'],
  [`basic_auth_users: {a: ${HASH}}\nbasic_auth_tenants: {a: ["x/y"]}`, 'web.yml:2:26'],
  ['bearer_tokens: [{token: plain-secret}]', 'has less than 16 characters'],
  ['bearer_tokens: [{token: plain-secret plain-secret}]', 'is no text without spaces'],
  ['bearer_tokens: [{}]', 'needs either token or token_file'],
  ['http_server_config: {headers: {X-Other: a}}', 'X-Other'],
])('%s is refused by place, without its secrets', (text, message) => {
  expect(() => load(text)).toThrow(message);
  expect(() => load(text)).not.toThrow('plain-secret');
});

test('a token out of a file is trimmed and judged like any other', () => {
  expect(checkToken(' 0123456789abcdef\n', 'f')).toBe('0123456789abcdef');
  expect(() => checkToken('short\n', '/keys/token')).toThrow('/keys/token: has less than 16 characters');
});
