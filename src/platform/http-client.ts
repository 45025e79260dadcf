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

export class SystemHttpClient implements HttpClient {
  async request({ method, url, headers, body, signal }: ClientRequest): Promise<ClientResponse> {
    const response = await fetch(url, {
      method,
      headers,
      body,
      signal: asSystemSignal(signal),
      redirect: 'follow',
    });
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? '',
      body: (response.body ?? emptyBody()) as unknown as AsyncIterable<Uint8Array>,
      text: () => response.text(),
    };
  }
}

/** `fetch` takes only signals of the system. */
function asSystemSignal(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  if (signal.aborted) controller.abort(signal.reason);
  else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  return controller.signal;
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
