import type { Labels } from './labels.ts';

/** A trace or an event that stands for a sample. `t` in milliseconds since the epoch. */
export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly t: number;
  readonly hasTimestamp: boolean;
}

/** Prometheus' limit on the label names and values of one exemplar, in characters. */
export const EXEMPLAR_LABELS_LENGTH_MAX = 128;
