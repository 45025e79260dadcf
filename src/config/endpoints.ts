import { z } from 'zod';
import { VeronaError } from '../model/errors.ts';
import { type ConfigSource, parseYaml } from './yaml-file.ts';

export interface EndpointEntry {
  readonly address: string;
  readonly strict: boolean;
  readonly group: boolean;
}

const thanosShape = z.strictObject({
  endpoints: z
    .array(
      z.strictObject({
        address: z.string().min(1),
        strict: z.boolean().default(false),
        group: z.boolean().default(false),
      }),
    )
    .default([]),
});

const fileDiscoveryShape = z.array(
  z.strictObject({
    targets: z.array(z.string().min(1)),
    labels: z.record(z.string(), z.string()).optional(),
  }),
);

/**
 * Endpoints of a file: Thanos' `endpoints` (`address`, `strict`, `group`), or Prometheus' list of `targets`. Throws `bad_data` that
 * names the file and the place.
 */
export function parseEndpoints(source: ConfigSource): EndpointEntry[] {
  if (/^\s*(-|\[|$)/.test(source.text.replace(/^\s*#.*$/gm, '').trimStart())) return parseTargets(source);
  const { values, positionOf } = parseYaml(source, {});
  const parsed = thanosShape.safeParse(values);
  if (parsed.success) return parsed.data.endpoints;
  throw new VeronaError(
    'bad_data',
    parsed.error.issues.map((issue) => `${positionOf(issue)}: ${issue.message}`).join('\n'),
  );
}

function parseTargets(source: ConfigSource): EndpointEntry[] {
  const { values, positionOf } = parseYaml({ ...source, text: `list:${inset(source.text)}` }, {});
  const parsed = fileDiscoveryShape.safeParse((values as { list?: unknown }).list ?? []);
  if (!parsed.success)
    throw new VeronaError(
      'bad_data',
      parsed.error.issues
        .map((issue) => `${positionOf({ ...issue, path: ['list', ...issue.path] })}: ${issue.message}`)
        .join('\n'),
    );
  return parsed.data.flatMap(({ targets }) =>
    targets.map((address) => ({ address, strict: false, group: false })),
  );
}

/** A list below a key, lines kept where they are. */
function inset(text: string): string {
  return text.trimStart().startsWith('[') ? ` ${text}` : `\n${text}`;
}
