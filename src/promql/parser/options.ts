/**
 * Which experimental parts of the language are on, by the names of Prometheus' feature flags. Duration expressions
 * are no experiment any more and on unless switched off.
 */
export interface Features {
  readonly 'promql-experimental-functions'?: boolean;
  readonly 'promql-duration-expr'?: boolean;
  readonly 'promql-extended-range-selectors'?: boolean;
  readonly 'promql-binop-fill-modifiers'?: boolean;
}

/** Bounds of one query; each has a default that no query written by hand meets. */
export interface ParseLimits {
  /** In UTF-16 units. */
  readonly textLengthMax: number;
  /** Of nested expressions, and of the tree: a chain of n operators is n deep. */
  readonly depthMax: number;
  readonly nodesMax: number;
}

export interface ParseOptions {
  readonly features?: Features;
  readonly limits?: Partial<ParseLimits>;
}

export const DEFAULT_LIMITS: ParseLimits = { textLengthMax: 262_144, depthMax: 500, nodesMax: 50_000 };

export const ALL_FEATURES: Features = {
  'promql-experimental-functions': true,
  'promql-duration-expr': true,
  'promql-extended-range-selectors': true,
  'promql-binop-fill-modifiers': true,
};
