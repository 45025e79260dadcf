import type { ClientRequest, ClientResponse, HttpClient } from '../../platform/http-client.ts';
import type { ConfiguredClient } from '../scrape/credentials.ts';

const TEXT_BYTES_MAX = 64 * 1024 * 1024;

/** Requests with the TLS, credentials and proxy of a `http_config`. */
export class ConfiguredHttp implements HttpClient {
  readonly #client: ConfiguredClient;

  constructor(client: ConfiguredClient) {
    this.#client = client;
  }

  async request({ method, url, headers = {}, body, signal }: ClientRequest): Promise<ClientResponse> {
    const sent = body instanceof URLSearchParams ? body.toString() : body;
    const response = await this.#client.request({ method, url, headers, body: sent, signal });
    return {
      status: response.status,
      header: (name) => response.header(name),
      body: response.body,
      text: async () => (await response.bytes(TEXT_BYTES_MAX))?.toString() ?? '',
    };
  }
}
