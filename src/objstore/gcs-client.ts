import type { AuthClient } from 'google-auth-library';
import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import { httpsAgent } from '../platform/http-agents.ts';
import type { GcsOptions } from './gcs-options.ts';
import { StoreAnswer } from './store-calls.ts';
import { readTls } from './tls.ts';

export interface GcsRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly signal: AbortSignal;
  /** Statuses besides 2xx that are no error. */
  readonly accepts?: readonly number[];
}

export interface GcsAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/**
 * Google's JSON API over Google's library for credentials. Not over Google's storage library: it takes no signal, so
 * nothing it has begun could be cancelled or given up.
 */
export class GcsClient {
  /** `…/storage/v1/b/<bucket>/o` */
  readonly objectsUrl: string;
  readonly uploadUrl: string;
  readonly #auth: AuthClient;
  readonly #agent: ReturnType<typeof httpsAgent> | undefined;

  private constructor(
    base: string,
    bucket: string,
    auth: AuthClient,
    agent: ReturnType<typeof httpsAgent> | undefined,
  ) {
    const path = `storage/v1/b/${encodeURIComponent(bucket)}/o`;
    this.objectsUrl = `${base}/${path}`;
    this.uploadUrl = `${base}/upload/${path}`;
    this.#auth = auth;
    this.#agent = agent;
  }

  /** Loads the library on first use. Throws `bad_data` for credentials that cannot be. */
  static async open(options: GcsOptions, connectionsMax: number, disk: Disk): Promise<GcsClient> {
    const base =
      options.endpoint === undefined ? 'https://storage.googleapis.com' : endpointUrl(options.endpoint);
    const agent = base.startsWith('https:')
      ? httpsAgent({ ...(await readTls(options.http_config, disk)), maxSockets: connectionsMax })
      : undefined;
    return new GcsClient(base, options.bucket, await authOf(options), agent);
  }

  async send({ accepts = [], ...request }: GcsRequest): Promise<GcsAnswer> {
    const answer = await this.#auth.request<ArrayBuffer>({
      ...request,
      headers: { ...request.headers },
      body: request.body as BodyInit | undefined,
      responseType: 'arraybuffer',
      retry: false,
      validateStatus: () => true,
      ...(this.#agent ? { agent: this.#agent } : {}),
    });
    const body = Buffer.from(answer.data ?? new ArrayBuffer(0));
    const { status, headers } = answer;
    if ((status >= 200 && status < 300) || accepts.includes(status)) return { status, headers, body };
    throw refusal(status, body);
  }

  close(): void {
    this.#agent?.destroy();
  }
}

function endpointUrl(text: string): string {
  const url = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(url))
    throw new VeronaError(
      'bad_data',
      `GCS bucket configuration: endpoint ${JSON.stringify(text)} is no address`,
    );
  return url.replace(/\/+$/, '');
}

async function authOf({ endpoint, service_account }: GcsOptions): Promise<AuthClient> {
  const { GoogleAuth, PassThroughClient } = await import('google-auth-library');
  if (endpoint !== undefined) return new PassThroughClient();
  const scopes = ['https://www.googleapis.com/auth/devstorage.read_write'];
  if (!service_account) return new GoogleAuth({ scopes }).getClient();
  return new GoogleAuth({ scopes, credentials: parseAccount(service_account) }).getClient();
}

/** The message quotes nothing of it. */
function parseAccount(text: string): object {
  try {
    const account: unknown = JSON.parse(text);
    if (typeof account === 'object' && account !== null) return account;
  } catch {
    // Told below, without the text that JSON.parse would quote.
  }
  throw new VeronaError('bad_data', 'GCS bucket configuration: service_account is no JSON object');
}

function refusal(status: number, body: Buffer): StoreAnswer {
  const message = messageOf(body) ?? `answer ${status}`;
  return new StoreAnswer(status, message, status === 404 && /bucket does not exist/i.test(message));
}

function messageOf(body: Buffer): string | undefined {
  const text = body.toString('utf8', 0, 10_000);
  try {
    return (JSON.parse(text) as { error?: { message?: string } }).error?.message;
  } catch {
    return text.slice(0, 200) || undefined;
  }
}
