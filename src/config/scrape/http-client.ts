import { z } from 'zod';
import { flag, listOf, mapOf, oneOf, optional, text } from './fields.ts';

const TLS_VERSIONS = ['TLS10', 'TLS11', 'TLS12', 'TLS13'] as const;

const tlsConfig = z
  .strictObject({
    ca: optional(text),
    cert: optional(text),
    key: optional(text),
    ca_file: optional(text),
    cert_file: optional(text),
    key_file: optional(text),
    server_name: optional(text),
    insecure_skip_verify: optional(flag),
    min_version: optional(oneOf(TLS_VERSIONS)),
    max_version: optional(oneOf(TLS_VERSIONS)),
  })
  .superRefine((tls, context) => {
    for (const name of ['ca', 'cert', 'key'] as const)
      if (tls[name] !== undefined && tls[`${name}_file`] !== undefined)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `at most one of ${name} and ${name}_file`,
        });
    const has = (name: 'cert' | 'key') => (tls[name] ?? tls[`${name}_file`]) !== undefined;
    if (has('cert') !== has('key'))
      context.addIssue({
        code: 'custom',
        message: 'a client certificate needs cert and key, as text or file',
      });
  });

const basicAuth = z
  .strictObject({
    username: optional(text),
    username_file: optional(text),
    password: optional(text),
    password_file: optional(text),
  })
  .superRefine((auth, context) => {
    for (const name of ['username', 'password'] as const)
      if (auth[name] !== undefined && auth[`${name}_file`] !== undefined)
        context.addIssue({ code: 'custom', message: `at most one of ${name} and ${name}_file` });
  });

const authorization = z
  .strictObject({ type: optional(text), credentials: optional(text), credentials_file: optional(text) })
  .superRefine((auth, context) => {
    if (auth.credentials !== undefined && auth.credentials_file !== undefined)
      context.addIssue({ code: 'custom', message: 'at most one of credentials and credentials_file' });
    if (auth.type?.trim().toLowerCase() === 'basic')
      context.addIssue({ code: 'custom', path: ['type'], message: 'use basic_auth for the type "basic"' });
  });

const oauth2 = z
  .strictObject({
    client_id: text.min(1),
    client_secret: optional(text),
    client_secret_file: optional(text),
    scopes: listOf(text),
    token_url: text.min(1),
    endpoint_params: mapOf(text),
    tls_config: optional(tlsConfig),
    proxy_url: optional(text),
  })
  .superRefine((auth, context) => {
    if ((auth.client_secret === undefined) === (auth.client_secret_file === undefined))
      context.addIssue({ code: 'custom', message: 'needs either client_secret or client_secret_file' });
  });

const httpHeader = z.strictObject({ values: listOf(text), secrets: listOf(text), files: listOf(text) });

/** Headers that the house sets itself, as Prometheus keeps them from its users. */
const RESERVED_HEADERS = new Set([
  'authorization',
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
]);

/** What Prometheus' `http_config` has, inline, wherever something is asked over HTTP. */
export const httpClientShape = {
  basic_auth: optional(basicAuth),
  authorization: optional(authorization),
  oauth2: optional(oauth2),
  bearer_token: optional(text),
  bearer_token_file: optional(text),
  tls_config: optional(tlsConfig),
  follow_redirects: optional(flag),
  enable_http2: optional(flag),
  proxy_url: optional(text),
  no_proxy: optional(text),
  http_headers: mapOf(httpHeader),
};

const httpClient = z.strictObject(httpClientShape);
export type HttpClientConfig = z.output<typeof httpClient>;

/** Checks that concern several keys. */
export function checkHttpClient(config: HttpClientConfig, context: z.RefinementCtx): void {
  const given = [
    config.basic_auth,
    config.authorization,
    config.oauth2,
    config.bearer_token,
    config.bearer_token_file,
  ].filter((one) => one !== undefined);
  if (given.length > 1)
    context.addIssue({
      code: 'custom',
      message: 'at most one of basic_auth, oauth2, authorization, bearer_token and bearer_token_file',
    });
  if (config.proxy_url !== undefined && !/^https?:\/\//.test(config.proxy_url))
    context.addIssue({ code: 'custom', path: ['proxy_url'], message: 'not a URL of http or https' });
  for (const [name, { values, secrets }] of Object.entries(config.http_headers)) {
    if (RESERVED_HEADERS.has(name.toLowerCase()) || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
      context.addIssue({
        code: 'custom',
        path: ['http_headers', name],
        message: 'this header cannot be set',
      });
    if ([...values, ...secrets].some((value) => !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)))
      context.addIssue({ code: 'custom', path: ['http_headers', name], message: 'no header value' });
  }
}
