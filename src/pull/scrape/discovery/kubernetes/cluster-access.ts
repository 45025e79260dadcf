import { dirname, isAbsolute, join } from 'node:path';
import type { KubernetesDiscoveryConfig } from '../../../../config/scrape/discovery.ts';
import type { HttpClientConfig } from '../../../../config/scrape/http-client.ts';
import { type KubeConfig, parseKubeConfig } from '../../../../config/scrape/kube-config.ts';
import { VeronaError, wrapError } from '../../../../model/errors.ts';
import type { Disk } from '../../../../platform/disk.ts';

/** Where Kubernetes puts what a pod needs to talk to its cluster. */
const ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** How to reach a cluster, and what to look at. */
export interface ClusterAccess {
  /** Without a slash at the end. */
  readonly server: string;
  readonly http: HttpClientConfig;
  /** Empty: all. */
  readonly namespaces: readonly string[];
}

/** The cluster that a configuration means: by URL, by kubeconfig file, or the one that this process runs in. Throws `bad_data` or `unavailable`. */
export async function findCluster(
  config: KubernetesDiscoveryConfig,
  environment: Readonly<Record<string, string | undefined>>,
  disk: Disk,
): Promise<ClusterAccess> {
  const names = config.namespaces?.names ?? [];
  const own = config.namespaces?.own_namespace === true ? [await ownNamespace(disk)] : [];
  const namespaces = [...new Set([...names, ...own])];
  if (config.api_server !== undefined)
    return { server: trimmed(config.api_server), http: config, namespaces };
  if (config.kubeconfig_file !== undefined)
    return { ...(await fromKubeConfig(config, config.kubeconfig_file, disk)), namespaces };
  return { ...inCluster(config, environment), namespaces };
}

function inCluster(
  config: KubernetesDiscoveryConfig,
  environment: Readonly<Record<string, string | undefined>>,
): Omit<ClusterAccess, 'namespaces'> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  if (host === undefined || host === '')
    throw new VeronaError(
      'unavailable',
      'neither api_server nor kubeconfig_file is given, and this process runs in no cluster (KUBERNETES_SERVICE_HOST is not set)',
    );
  const http: HttpClientConfig = {
    ...config,
    bearer_token_file: `${ACCOUNT_DIR}/token`,
    tls_config: { ca_file: `${ACCOUNT_DIR}/ca.crt` },
  };
  return { server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, http };
}

async function fromKubeConfig(
  config: KubernetesDiscoveryConfig,
  file: string,
  disk: Disk,
): Promise<Omit<ClusterAccess, 'namespaces'>> {
  const { cluster, user } = parseKubeConfig({ file, text: await read(disk, file) });
  const locate = (path: string | undefined) =>
    path === undefined || isAbsolute(path) ? path : join(dirname(file), path);
  return {
    server: trimmed(cluster.server),
    http: {
      ...config,
      tls_config: {
        ca: decoded(cluster['certificate-authority-data']),
        ca_file: locate(cluster['certificate-authority']),
        cert: decoded(user['client-certificate-data']),
        cert_file: locate(user['client-certificate']),
        key: decoded(user['client-key-data']),
        key_file: locate(user['client-key']),
        server_name: cluster['tls-server-name'],
        insecure_skip_verify: cluster['insecure-skip-tls-verify'],
      },
      ...credentialsOf(user, locate),
    },
  };
}

function credentialsOf(
  user: KubeConfig['user'],
  locate: (path: string | undefined) => string | undefined,
): Partial<HttpClientConfig> {
  if (user.tokenFile !== undefined) return { bearer_token_file: locate(user.tokenFile) };
  if (user.token !== undefined) return { bearer_token: user.token };
  if (user.username !== undefined)
    return { basic_auth: { username: user.username, password: user.password ?? '' } };
  return {};
}

function decoded(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}

async function ownNamespace(disk: Disk): Promise<string> {
  return (await read(disk, `${ACCOUNT_DIR}/namespace`)).trim();
}

async function read(disk: Disk, file: string): Promise<string> {
  try {
    return Buffer.from(await disk.readFile(file)).toString('utf8');
  } catch (error) {
    throw wrapError(`read ${file}`, error, 'unavailable');
  }
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '');
}
