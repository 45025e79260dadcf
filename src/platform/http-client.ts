/** One request to another server. */
export interface ClientRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | URLSearchParams;
  readonly signal: AbortSignal;
}

export interface ClientResponse {
  readonly status: number;
  header(name: string): string;
  /** The body as it comes. Whoever stops reading ends the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  text(): Promise<string>;
}

/** Requests of this process to other servers. Errors are the system's, before an answer came. */
export interface HttpClient {
  request(request: ClientRequest): Promise<ClientResponse>;
}
