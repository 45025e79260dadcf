import type { Matcher } from './matcher.ts';

/**
 * Matchers as a selector of PromQL. Names are quoted only when they must be: Prometheus before version 3, also behind a Thanos
 * sidecar of today, does not know quoted ones.
 */
export function selectorText(matchers: readonly Pick<Matcher, 'name' | 'type' | 'value'>[]): string {
  const parts = matchers.map(({ name, type, value }) => {
    const plain = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
    return `${plain ? name : JSON.stringify(name)}${type}${JSON.stringify(value)}`;
  });
  return `{${parts.join(',')}}`;
}
