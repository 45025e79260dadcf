import { z } from 'zod';
import { VeronaError } from '../model/errors.ts';
import { checkHttpClient, type HttpClientConfig, httpClientShape } from './scrape/http-client.ts';
import { type ConfigSource, parseYaml } from './yaml-file.ts';

/** Thanos' settings of its Go transport have no counterpart here and are accepted. */
const schema = z
  .strictObject({ ...httpClientShape, transport_config: z.unknown().optional() })
  .transform(({ transport_config: _, ...config }): HttpClientConfig => config)
  .superRefine(checkHttpClient);

/**
 * How another server is asked over HTTP, in the form of Prometheus' `http_config`, which is that of Thanos'
 * `--prometheus.http-client` too. Throws `bad_data` with every problem on a line of its own; values are never part of it.
 */
export function loadHttpClient(
  source: ConfigSource,
  environment: Readonly<Record<string, string | undefined>>,
): HttpClientConfig {
  const { values, positionOf } = parseYaml(source, environment);
  const parsed = schema.safeParse(values ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${positionOf(issue)}: ${[issue.path.join('.'), issue.message].filter(Boolean).join(': ')}`,
  );
  throw new VeronaError('bad_data', problems.join('\n'));
}
