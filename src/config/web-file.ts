import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { VeronaError } from '../model/errors.ts';
import { checkTenantId } from '../tenancy/tenant-id.ts';
import { type ConfigSource, parseYaml } from './yaml-file.ts';

/** A secret shorter than this is guessed too easily. */
const TOKEN_LENGTH_MIN = 16;
const HEADERS = [
  'Content-Security-Policy',
  'Strict-Transport-Security',
  'X-Content-Type-Options',
  'X-Frame-Options',
  'X-XSS-Protection',
] as const;
const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;

const tenants = z
  .array(
    z.string().superRefine((name, context) => {
      try {
        checkTenantId(name);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
      }
    }),
  )
  .min(1);
const fileName = z.string().min(1);

const tlsSchema = z
  .strictObject({
    cert_file: fileName,
    key_file: fileName,
    client_auth_type: z.enum(CLIENT_AUTH_TYPES).default('NoClientCert'),
    client_ca_file: fileName.optional(),
    min_version: z.enum(['TLS12', 'TLS13']).default('TLS12'),
  })
  .superRefine(({ client_auth_type, client_ca_file }, context) => {
    const complain = (message: string) =>
      context.addIssue({ code: 'custom', path: ['client_auth_type'], message });
    const verifies = client_auth_type.includes('Verify');
    if (verifies && client_ca_file === undefined) complain(`${client_auth_type} needs client_ca_file`);
    if (!verifies && client_ca_file !== undefined)
      complain(`client_ca_file is given, but ${client_auth_type} verifies no certificate`);
  });

const tokenSchema = z
  .strictObject({
    token: z
      .string()
      .regex(/^[\x21-\x7e]+$/, 'is no text without spaces')
      .min(TOKEN_LENGTH_MIN, `has less than ${TOKEN_LENGTH_MIN} characters`)
      .optional(),
    token_file: fileName.optional(),
    tenants: tenants.optional(),
  })
  .refine(({ token, token_file }) => (token === undefined) !== (token_file === undefined), {
    message: 'needs either token or token_file',
  });

const webSchema = z
  .strictObject({
    tls_server_config: tlsSchema.optional(),
    http_server_config: z
      .strictObject({
        http2: z.boolean().optional(),
        headers: z
          .partialRecord(z.enum(HEADERS), z.string().regex(/^[\x20-\x7e]*$/, 'is no header value'))
          .default({}),
      })
      .default({ headers: {} }),
    basic_auth_users: z
      .record(
        z.string().regex(/^[^:]+$/, 'a user name has no colon'),
        z.string().regex(/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/, 'is no bcrypt hash'),
      )
      .default({}),
    basic_auth_tenants: z.record(z.string(), tenants).default({}),
    bearer_tokens: z.array(tokenSchema).default([]),
    auth_excluded_paths: z.array(z.string().startsWith('/')).default([]),
  })
  .superRefine(({ basic_auth_users, basic_auth_tenants }, context) => {
    for (const user of Object.keys(basic_auth_tenants))
      if (!Object.hasOwn(basic_auth_users, user))
        context.addIssue({
          code: 'custom',
          path: ['basic_auth_tenants', user],
          message: 'is not among basic_auth_users',
        });
  });

/** TLS and credentials of the HTTP listener, in the form of Prometheus' `--web.config.file`; files are absolute or relative to the process. */
export type WebFile = z.output<typeof webSchema>;

/** Reads it. Throws `bad_data` with every problem on a line of its own; values are never part of a message. */
export function loadWebFile(
  source: ConfigSource,
  dir: string,
  environment: Readonly<Record<string, string | undefined>>,
): WebFile {
  const { values, positionOf } = parseYaml(source, environment);
  const parsed = webSchema.safeParse(values);
  if (!parsed.success)
    throw new VeronaError(
      'bad_data',
      parsed.error.issues.map((issue) => `${positionOf(issue)}: ${describe(issue)}`).join('\n'),
    );
  return withPaths(parsed.data, (path) => (isAbsolute(path) ? path : join(dir, path)));
}

function withPaths(web: WebFile, locate: (path: string) => string): WebFile {
  const tls = web.tls_server_config;
  return {
    ...web,
    tls_server_config: tls && {
      ...tls,
      cert_file: locate(tls.cert_file),
      key_file: locate(tls.key_file),
      client_ca_file: tls.client_ca_file && locate(tls.client_ca_file),
    },
    bearer_tokens: web.bearer_tokens.map((entry) => ({
      ...entry,
      token_file: entry.token_file && locate(entry.token_file),
    })),
  };
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') return `unknown key ${[...issue.path, issue.keys[0]].join('.')}`;
  // A key of a record that is not good is told by its inner issue.
  const message =
    issue.code === 'invalid_key' ? issue.issues.map((one) => one.message).join(', ') : issue.message;
  return where === '' ? message : `${where}: ${message}`;
}

/** A token out of a file, without white space around it. Throws `bad_data` without the token. */
export function checkToken(text: string, path: string): string {
  const parsed = tokenSchema.safeParse({ token: text.trim() });
  if (!parsed.success) throw new VeronaError('bad_data', `${path}: ${parsed.error.issues[0].message}`);
  return text.trim();
}
