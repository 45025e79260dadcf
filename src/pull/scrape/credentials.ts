import type { HttpClientConfig } from '../../config/scrape/http-client.ts';
import { VeronaError, wrapError } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type {
  OpenWebClient,
  WebClient,
  WebClientOptions,
  WebRequest,
  WebResponse,
  WebTls,
} from '../../platform/web-client.ts';

/** Secrets in files are read again when they are older: whoever replaces one need not say so. */
const FRESH_MS = 10_000;
/** TLS files are looked at this often; connections with old certificates end by themselves. */
const TLS_FRESH_MS = 60_000;
const CONNECTIONS_MAX = 16;
const TOKEN_BYTES_MAX = 1024 * 1024;
/** A token is asked for anew so long before it ends. */
const TOKEN_EARLY_MS = 10_000;

export interface ConfiguredClientDeps {
  readonly open: OpenWebClient;
  readonly disk: Disk;
  readonly clock: Clock;
  /** Connections at once to one host; 16 when absent. */
  readonly connectionsMax?: number;
}

type TlsConfig = NonNullable<HttpClientConfig['tls_config']>;
const TLS_VERSIONS = { TLS10: 'TLSv1', TLS11: 'TLSv1.1', TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const;

/** Asks over HTTP as a `http_config` says: TLS, proxy, credentials, headers. Files are followed while it lives. */
export class ConfiguredClient {
  readonly #config: HttpClientConfig;
  readonly #deps: ConfiguredClientDeps;
  readonly #files = new Map<string, { readonly text: string; readonly at: number }>();
  #client: WebClient | undefined;
  #clientKey = '';
  #checkedAt = Number.NEGATIVE_INFINITY;
  #token: { readonly value: string; readonly until: number } | undefined;

  constructor(config: HttpClientConfig, deps: ConfiguredClientDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** Errors that the configuration is to blame for name the file. */
  async request(request: WebRequest): Promise<WebResponse> {
    const client = await this.#current();
    const headers = { ...request.headers, ...(await this.#headers(request.signal)) };
    return client.request({ ...request, headers });
  }

  close(): void {
    this.#client?.close();
  }

  async #current(): Promise<WebClient> {
    const now = this.#deps.clock.monotonic();
    if (this.#client !== undefined && now - this.#checkedAt < TLS_FRESH_MS) return this.#client;
    const { tls_config, proxy_url, follow_redirects } = this.#config;
    const options: WebClientOptions = {
      tls: tls_config && (await this.#tls(tls_config)),
      followRedirects: follow_redirects ?? true,
      proxyUrl: proxy_url,
      connectionsMax: this.#deps.connectionsMax ?? CONNECTIONS_MAX,
    };
    const key = JSON.stringify(options.tls ?? {});
    this.#checkedAt = now;
    if (this.#client !== undefined && key === this.#clientKey) return this.#client;
    this.#client?.close();
    this.#client = this.#deps.open(options);
    this.#clientKey = key;
    return this.#client;
  }

  async #tls(tls: TlsConfig): Promise<WebTls> {
    const [ca, cert, key] = await Promise.all([
      this.#textOr(tls.ca, tls.ca_file),
      this.#textOr(tls.cert, tls.cert_file),
      this.#textOr(tls.key, tls.key_file),
    ]);
    return {
      ca,
      cert,
      key,
      serverName: tls.server_name,
      insecureSkipVerify: tls.insecure_skip_verify,
      minVersion: tls.min_version && TLS_VERSIONS[tls.min_version],
      maxVersion: tls.max_version && TLS_VERSIONS[tls.max_version],
    };
  }

  async #headers(signal: AbortSignal): Promise<Record<string, string>> {
    const headers: Record<string, string> = {};
    for (const [name, { values, secrets, files }] of Object.entries(this.#config.http_headers)) {
      const read = await Promise.all(files.map(async (file) => (await this.#read(file)).trim()));
      headers[name] = [...values, ...secrets, ...read].join(', ');
    }
    const authorization = await this.#authorization(signal);
    if (authorization !== undefined) headers.authorization = authorization;
    return headers;
  }

  async #authorization(signal: AbortSignal): Promise<string | undefined> {
    const { basic_auth, authorization, bearer_token, bearer_token_file, oauth2 } = this.#config;
    if (basic_auth !== undefined) {
      const user = (await this.#textOr(basic_auth.username, basic_auth.username_file)) ?? '';
      const password = (await this.#textOr(basic_auth.password, basic_auth.password_file)) ?? '';
      return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    }
    if (oauth2 !== undefined) return `Bearer ${await this.#oauthToken(oauth2, signal)}`;
    const type = authorization?.type?.trim() || 'Bearer';
    const credentials = await this.#textOr(
      authorization?.credentials ?? bearer_token,
      authorization?.credentials_file ?? bearer_token_file,
    );
    return credentials === undefined ? undefined : `${type} ${credentials}`;
  }

  /** The client credentials grant of OAuth 2.0 (RFC 6749, 4.4). */
  async #oauthToken(oauth2: NonNullable<HttpClientConfig['oauth2']>, signal: AbortSignal): Promise<string> {
    const now = this.#deps.clock.monotonic();
    if (this.#token !== undefined && now < this.#token.until) return this.#token.value;
    const secret = (await this.#textOr(oauth2.client_secret, oauth2.client_secret_file)) ?? '';
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...oauth2.endpoint_params });
    if (oauth2.scopes.length > 0) form.set('scope', oauth2.scopes.join(' '));
    const client = this.#deps.open({
      tls: oauth2.tls_config && (await this.#tls(oauth2.tls_config)),
      followRedirects: true,
      proxyUrl: oauth2.proxy_url,
      connectionsMax: 1,
    });
    try {
      const basic = Buffer.from(`${encodeURIComponent(oauth2.client_id)}:${encodeURIComponent(secret)}`);
      const response = await client.request({
        method: 'POST',
        url: oauth2.token_url,
        headers: {
          authorization: `Basic ${basic.toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: form.toString(),
        signal,
      });
      this.#token = tokenOf(response, await response.bytes(TOKEN_BYTES_MAX), now);
      return this.#token.value;
    } catch (error) {
      throw wrapError(`oauth2 token of ${oauth2.token_url}`, error, 'unavailable');
    } finally {
      client.close();
    }
  }

  async #textOr(text: string | undefined, file: string | undefined): Promise<string | undefined> {
    return file === undefined ? text : (await this.#read(file)).trim();
  }

  async #read(file: string): Promise<string> {
    const now = this.#deps.clock.monotonic();
    const known = this.#files.get(file);
    if (known !== undefined && now - known.at < FRESH_MS) return known.text;
    try {
      const text = Buffer.from(await this.#deps.disk.readFile(file)).toString('utf8');
      this.#files.set(file, { text, at: now });
      return text;
    } catch (error) {
      throw wrapError(`read ${file}`, error, 'unavailable');
    }
  }
}

function tokenOf(
  { status }: WebResponse,
  bytes: Buffer | undefined,
  now: number,
): { readonly value: string; readonly until: number } {
  if (status !== 200) throw new VeronaError('unavailable', `status ${status}`);
  const answer = JSON.parse(bytes?.toString('utf8') ?? '') as {
    access_token?: unknown;
    expires_in?: unknown;
  };
  if (typeof answer?.access_token !== 'string' || !/^[\x21-\x7e]+$/.test(answer.access_token))
    throw new VeronaError('unavailable', 'the answer has no access_token');
  const seconds = Number(answer.expires_in ?? 0);
  return {
    value: answer.access_token,
    until: seconds > 0 ? now + seconds * 1000 - TOKEN_EARLY_MS : now,
  };
}
