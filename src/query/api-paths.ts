import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';

/** Prometheus' own paths, and Cortex' prefixes. */
const PREFIXES = ['', '/prometheus', '/api/prom'];

/** Routes of the API at every path where it is mounted. */
export function onApiPaths(routes: readonly Route[]): Route[] {
  return PREFIXES.flatMap((prefix) => routes.map((route) => ({ ...route, path: prefix + route.path })));
}

export function getRoute(path: string, handle: (request: HttpRequest) => Promise<HttpResponse>): Route {
  return { path, methods: ['GET'], bodyMax: 0, handle };
}
