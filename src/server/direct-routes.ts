import type { Route } from '../platform/http.ts';

/** A direct route and the parameters of a path that led to it. */
export interface FoundRoute {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly method: string;
  /** What stands before and after the parameter. */
  readonly before: string;
  readonly after: string;
  readonly name: string;
  readonly route: Route;
}

const NO_PARAMS = {};

/** Finds direct routes by method and path. A path in another form (a slash at its end, say) is left to the router. */
export class DirectRoutes {
  /** By method and path, `POST /api/v1/push`. */
  readonly #exact = new Map<string, FoundRoute>();
  readonly #patterns: Pattern[] = [];

  add(route: Route): void {
    const parameter = /:(\w+)/.exec(route.path);
    for (const method of route.methods)
      if (parameter === null) this.#exact.set(`${method} ${route.path}`, { route, params: NO_PARAMS });
      else
        this.#patterns.push({
          method,
          before: route.path.slice(0, parameter.index),
          after: route.path.slice(parameter.index + parameter[0].length),
          name: parameter[1],
          route,
        });
  }

  find(method: string, path: string): FoundRoute | undefined {
    const exact = this.#exact.get(`${method} ${path}`);
    if (exact !== undefined) return exact;
    for (const pattern of this.#patterns) {
      const value = pattern.method === method ? parameterOf(pattern, path) : undefined;
      if (value !== undefined) return { route: pattern.route, params: { [pattern.name]: value } };
    }
    return undefined;
  }
}

function parameterOf({ before, after }: Pattern, path: string): string | undefined {
  if (!path.startsWith(before) || !path.endsWith(after)) return undefined;
  const text = path.slice(before.length, path.length - after.length);
  if (text === '' || text.includes('/') || text.length > PARAMETER_LENGTH_MAX) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const PARAMETER_LENGTH_MAX = 4096;
