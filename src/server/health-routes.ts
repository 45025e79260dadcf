import type { Route } from '../platform/http.ts';

/** Whether the process lives, and whether it takes requests: Prometheus' paths and Cortex'. */
export function healthRoutes(isReady: () => boolean): Route[] {
  const get = (path: string, handle: Route['handle']): Route => ({
    path,
    methods: ['GET'],
    bodyMax: 0,
    handle,
  });
  const ready = () =>
    isReady()
      ? { status: 200, body: 'Verona is ready.\n' }
      : { status: 503, body: 'Verona is starting or stopping.\n' };
  return [
    get('/-/healthy', () => ({ status: 200, body: 'Verona is healthy.\n' })),
    get('/-/ready', ready),
    get('/ready', ready),
  ];
}
