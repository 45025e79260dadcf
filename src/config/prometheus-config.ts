import { parse } from 'yaml';
import { parseDuration } from '../model/duration.ts';
import { Labels } from '../model/labels.ts';

/** What is of interest in a Prometheus configuration. */
export interface PrometheusFile {
  readonly externalLabels: Labels;
  /** How far back samples may still come, ms. */
  readonly outOfOrderWindowMs: number;
}

interface Parsed {
  readonly global?: { readonly external_labels?: Record<string, unknown> };
  readonly storage?: { readonly tsdb?: { readonly out_of_order_time_window?: unknown } };
}

/** Reads the text of a configuration as `/api/v1/status/config` gives it. */
export function readPrometheusFile(text: string): PrometheusFile {
  const config = parse(text) as Parsed | null;
  const labels = config?.global?.external_labels ?? {};
  const window = String(config?.storage?.tsdb?.out_of_order_time_window ?? '0s');
  return {
    externalLabels: Labels.from(
      Object.entries(labels).map(([name, value]) => [name, String(value)] as const),
    ),
    outOfOrderWindowMs: parseDuration(window) ?? 0,
  };
}
