import { type Labels, METRIC_NAME } from '../../model/labels.ts';

const METADATA: ReadonlySet<string> = new Set([METRIC_NAME, '__type__', '__unit__']);

/** Without the name, the type and the unit: what no longer holds of a value that was computed. */
export function withoutMetadata(labels: Labels): Labels {
  return labels.drop(METADATA);
}
