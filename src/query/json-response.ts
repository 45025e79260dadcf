import type { HttpResponse } from '../platform/http.ts';

/** Prometheus' envelope around a small value made on this thread. An answer that may lack data is not to be cached. */
export function jsonResponse(data: unknown, warnings: readonly string[] = []): HttpResponse {
  const incomplete = warnings.length > 0;
  return {
    status: 200,
    headers: { 'content-type': 'application/json', ...(incomplete && { 'cache-control': 'no-store' }) },
    body: JSON.stringify({ status: 'success', data, ...(incomplete && { warnings }) }),
  };
}
