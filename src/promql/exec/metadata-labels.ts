import { METRIC_NAME } from '../../model/labels.ts';

/** Labels that describe a metric rather than its source; operations that change what a value means drop them. */
export const METADATA_LABELS: ReadonlySet<string> = new Set([METRIC_NAME, '__type__', '__unit__']);
