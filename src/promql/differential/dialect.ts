import { functionNames } from '../functions/signatures.ts';

/** What generated queries may contain. */
export interface Dialect {
  readonly metrics: readonly string[];
  readonly labelNames: readonly string[];
  readonly labelValues: readonly string[];
  readonly functions: readonly string[];
  readonly aggregations: readonly string[];
  readonly operators: readonly string[];
  /** `fill`, `anchored`, `smoothed`, durations with arithmetic, quoted names. */
  readonly isModern: boolean;
  /** Times that no sample has, so that it does not matter which end of a window is open. */
  readonly offGrid: boolean;
  /** Metrics that `rate` and `increase` are asked of; undefined: all. */
  readonly counters: readonly string[] | undefined;
  /** Functions and aggregations only around the whole: other versions compute them another way, and what is made of the result may differ much. */
  readonly outermost: readonly string[];
}

/** The first sample of generated data is here; a whole number of hours. ms. */
export const DATA_START = 1_600_002_000_000;
export const DATA_MINUTES = 40;

const LABEL_VALUES = ['api', 'api', 'db', '0', '1', '500', '', '10'];

/** All of the language. */
export const WHOLE: Dialect = {
  metrics: [
    'requests_total',
    'requests_total',
    'temperature',
    'temperature',
    'flag',
    'latency_bucket',
    'h',
    'h',
    'mixed',
    'huge',
    'target_info',
    'build_info',
    'http.requests',
    'missing',
  ],
  labelNames: ['job', 'instance', 'code', 'le', 'version', '__name__', 'http.status', '__type__', 'nothing'],
  labelValues: LABEL_VALUES,
  functions: functionNames(),
  aggregations: [
    'avg',
    'bottomk',
    'count',
    'count_values',
    'group',
    'limit_ratio',
    'limitk',
    'max',
    'min',
    'quantile',
    'stddev',
    'stdvar',
    'sum',
    'topk',
  ],
  operators: [
    '+',
    '-',
    '*',
    '/',
    '%',
    '^',
    'atan2',
    '==',
    '!=',
    '<',
    '<=',
    '>',
    '>=',
    'and',
    'or',
    'unless',
    '</',
    '>/',
  ],
  isModern: true,
  offGrid: false,
  counters: undefined,
  outermost: [],
};

const INEXACT = [
  'avg',
  'stddev',
  'stdvar',
  'avg_over_time',
  'stddev_over_time',
  'stdvar_over_time',
  'deriv',
  'predict_linear',
  'double_exponential_smoothing',
];

const NEWER = new Set([
  'end',
  'first_over_time',
  'histogram_avg',
  'histogram_count',
  'histogram_fraction',
  'histogram_quantiles',
  'histogram_stddev',
  'histogram_stdvar',
  'histogram_sum',
  'info',
  'mad_over_time',
  'max_of',
  'min_of',
  'range',
  'sort_by_label',
  'sort_by_label_desc',
  'start',
  'step',
  'start_timestamp',
  'ts_of_first_over_time',
  'ts_of_last_over_time',
  'ts_of_max_over_time',
  'ts_of_min_over_time',
]);

/** What Prometheus 2.42 knows and means as 3 does. */
export const SHARED_WITH_2: Dialect = {
  ...WHOLE,
  metrics: [
    'requests_total',
    'requests_total',
    'temperature',
    'temperature',
    'flag',
    'latency_bucket',
    'special',
    'huge',
    'build_info',
    'missing',
  ],
  labelNames: ['job', 'instance', 'code', 'le', 'version', '__name__', 'nothing'],
  functions: WHOLE.functions.filter((name) => !NEWER.has(name)),
  aggregations: WHOLE.aggregations.filter((name) => !name.startsWith('limit')),
  // There a metric keeps its name through `atan2`.
  operators: WHOLE.operators.filter((op) => !['</', '>/', 'atan2'].includes(op)),
  isModern: false,
  offGrid: true,
  counters: ['requests_total', 'latency_bucket'],
  outermost: INEXACT,
};
