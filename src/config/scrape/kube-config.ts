import { z } from 'zod';
import { VeronaError } from '../../model/errors.ts';
import { type ConfigSource, parseYamlTexts } from '../yaml-file.ts';
import { flag, listOf, optional, text } from './fields.ts';

const cluster = z.looseObject({
  server: text.regex(/^https?:\/\/[^/]/, 'not a URL of http or https'),
  'certificate-authority': optional(text),
  'certificate-authority-data': optional(text),
  'insecure-skip-tls-verify': optional(flag),
  'tls-server-name': optional(text),
});

const user = z.looseObject({
  token: optional(text),
  tokenFile: optional(text),
  'client-certificate': optional(text),
  'client-certificate-data': optional(text),
  'client-key': optional(text),
  'client-key-data': optional(text),
  username: optional(text),
  password: optional(text),
  exec: z.unknown().optional(),
  'auth-provider': z.unknown().optional(),
});

const schema = z.looseObject({
  'current-context': text.min(1, 'no context is current'),
  contexts: listOf(z.looseObject({ name: text, context: z.looseObject({ cluster: text, user: text }) })),
  clusters: listOf(z.looseObject({ name: text, cluster })),
  users: listOf(z.looseObject({ name: text, user: z.preprocess((value) => value || {}, user) })),
});

/** What a kubeconfig file says of its current context. */
export interface KubeConfig {
  readonly cluster: z.output<typeof cluster>;
  readonly user: z.output<typeof user>;
}

/** Throws `bad_data` that names the file and the place; programs that get credentials are not run. */
export function parseKubeConfig(source: ConfigSource): KubeConfig {
  const { values, positionOf } = parseYamlTexts(source);
  const parsed = schema.safeParse(values ?? {});
  if (!parsed.success)
    throw new VeronaError(
      'bad_data',
      parsed.error.issues
        .map((issue) => `${positionOf(issue)}: ${issue.path.join('.')}: ${issue.message}`)
        .join('\n'),
    );
  const { contexts, clusters, users, 'current-context': current } = parsed.data;
  const context = contexts.find(({ name }) => name === current)?.context;
  const foundCluster = clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const foundUser = users.find(({ name }) => name === context?.user)?.user;
  if (foundCluster === undefined || foundUser === undefined)
    throw new VeronaError(
      'bad_data',
      `${source.file}: the context ${JSON.stringify(current)} lacks a cluster or a user`,
    );
  if (foundUser.exec !== undefined || foundUser['auth-provider'] !== undefined)
    throw new VeronaError(
      'bad_data',
      `${source.file}: credentials by exec or auth-provider are not supported; use a token or certificates`,
    );
  return { cluster: foundCluster, user: foundUser };
}
