import type { Exemplar } from '../../model/exemplar.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import type { Metadata } from '../../model/metadata.ts';
import type { RareValue } from './rare-series.ts';

export interface LoggedFloat {
  readonly ref: number;
  readonly t: number;
  readonly v: number;
  /** ms; 0 when unknown. */
  readonly startT: number;
}

export interface LoggedHistogram {
  readonly ref: number;
  readonly t: number;
  readonly histogram: AnyHistogram;
  readonly startT: number;
}

/** A sample of any kind. */
export type LoggedRare = LoggedFloat | LoggedHistogram;

export function toLogged(ref: number, t: number, value: RareValue, startT: number): LoggedRare {
  return typeof value === 'number' ? { ref, t, v: value, startT } : { ref, t, histogram: value, startT };
}

export interface LoggedExemplar {
  readonly ref: number;
  readonly exemplar: Exemplar;
}

export interface LoggedMetadata {
  readonly ref: number;
  readonly metadata: Metadata;
}

/** What TypeScript put into memory and the log does not have yet, in order; the kernel keeps its own samples record. */
export class Unlogged {
  rare: LoggedRare[] = [];
  exemplars: LoggedExemplar[] = [];
  metadata: LoggedMetadata[] = [];
  /** For the log of late samples. */
  late: LoggedRare[] = [];

  /** What there is, and begins anew. */
  take(): Unlogged {
    const taken = new Unlogged();
    Object.assign(taken, this);
    this.rare = [];
    this.exemplars = [];
    this.metadata = [];
    this.late = [];
    return taken;
  }
}
