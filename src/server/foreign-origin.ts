import { VeronaError } from '../model/errors.ts';

type Headers = Readonly<Record<string, string | undefined>>;

/**
 * Throws `forbidden` when a page of another site sent the request: a browser lets any page post, with the credentials it
 * has for us, and tells where the page is from in `Origin`. Our own pages, allowed origins and clients without `Origin` pass.
 * Behind a proxy that changes `Host`, `X-Forwarded-Host` counts: a page cannot send it unasked.
 */
export function refuseForeignOrigin(
  headers: Headers,
  allows: ((origin: string) => boolean) | undefined,
): void {
  const { origin } = headers;
  if (origin === undefined || allows?.(origin)) return;
  const host = URL.canParse(origin) ? new URL(origin).host : '';
  const own = [headers['host'], headers['x-forwarded-host']].filter((name) => name !== undefined);
  if (host !== '' && own.some((name) => isHost(name, origin, host))) return;
  throw new VeronaError(
    'forbidden',
    `a page of ${JSON.stringify(origin.slice(0, ORIGIN_LENGTH_MAX))} may not do this; http.cors_origin says which other sites may`,
  );
}

const ORIGIN_LENGTH_MAX = 200;

/** A port that is the default of the scheme may stand there or not. */
function isHost(name: string, origin: string, host: string): boolean {
  const url = `${new URL(origin).protocol}//${name.split(',')[0].trim()}`;
  return URL.canParse(url) && new URL(url).host === host;
}
