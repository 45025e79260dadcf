/** One request, read whole. Handlers in every room take this and return `HttpResponse`; only `server/` knows sockets. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** Named parts of the path, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Checked at the edge. */
  readonly tenant: string;
  /** As sent, `content-encoding` not undone. */
  readonly body: Uint8Array;
  /** The same in the pieces it came in, on direct routes: nothing is put together until `body` is read. */
  readonly bodyParts?: readonly Uint8Array[];
  /** Aborts when the client hangs up. */
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string goes out as UTF-8. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** The string is bytes already, a character each, and compressed when that was worth it. */
  readonly isLatin1?: boolean;
}

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Route {
  readonly methods: readonly HttpMethod[];
  /** `/api/v1/label/:name/values` */
  readonly path: string;
  /** Larger bodies are refused with 413. 0 for routes that take none. */
  readonly bodyMax: number;
  /**
   * For paths with at most one parameter that take thousands of requests a second: read and answered without a router, with the
   * same limits. Body and parts are valid until `handle` resolves.
   */
  readonly isDirect?: boolean;
  /** Changes something, and needs no more than a POST that any page can make a browser send: refused with 403 to other sites. */
  readonly refusesForeignOrigins?: boolean;
  /** Shows or changes what is everybody's: refused with 403 to credentials that are for some tenants only. */
  readonly ofAllTenants?: boolean;
  handle(request: HttpRequest): Promise<HttpResponse> | HttpResponse;
}
