import { parse } from 'yaml';
import { Labels } from '../model/labels.ts';

/** The external labels in the text of a Prometheus configuration, as `/api/v1/status/config` gives it. */
export function externalLabelsOf(text: string): Labels {
  const config = parse(text) as { global?: { external_labels?: Record<string, unknown> } } | null;
  const labels = config?.global?.external_labels ?? {};
  return Labels.from(Object.entries(labels).map(([name, value]) => [name, String(value)] as const));
}
