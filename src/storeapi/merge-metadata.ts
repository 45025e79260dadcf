import { compareStrings } from '../model/labels.ts';
import type { WireMeta, WireMetadata } from './service-messages.ts';

/** Metadata of several processes as one: of each metric every distinct entry once. By name of the metric. */
export function mergeMetadata(parts: readonly WireMetadata[]): Map<string, WireMeta[]> {
  const merged = new Map<string, Map<string, WireMeta>>();
  for (const part of parts)
    for (const [metric, { metas }] of Object.entries(part)) {
      const entries = merged.get(metric) ?? new Map<string, WireMeta>();
      merged.set(metric, entries);
      for (const { type, help, unit } of metas)
        entries.set(JSON.stringify([type, help, unit]), { type, help, unit });
    }
  return new Map(
    [...merged]
      .sort(([a], [b]) => compareStrings(a, b))
      .map(([metric, entries]) => [metric, [...entries.values()]]),
  );
}
