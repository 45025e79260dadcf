/**
 * What `import … from 'verona/promql'` gives: PromQL over any source of samples, in Node and in browsers. The one file
 * that hands on what others define, since a package needs one place to be entered by.
 */

export { type ErrorCode, VeronaError } from '../../model/errors.ts';
export type { AnyHistogram, FloatHistogram, Histogram } from '../../model/histogram.ts';
export { Labels } from '../../model/labels.ts';
export { loadRegex } from '../../model/late-re2.ts';
export { Matcher, type MatchType } from '../../model/matcher.ts';
export { STALE_NAN } from '../../model/sample.ts';
export type { Querier, Queryable, ReadContext, SelectRequest } from '../../storage/querier.ts';
export type { SeriesBatch } from '../../storage/series-batch.ts';
export type { Expr } from '../parser/ast.ts';
export { exprToJson, type Json } from '../parser/json.ts';
export { parseExpr, parseMatchers } from '../parser/parse.ts';
export { prettyExpr } from '../parser/pretty.ts';
export { printExpr } from '../parser/print.ts';
export type { EngineOptions, Features, InstantOptions, RangeOptions } from '../query-options.ts';
export type { Columns, QueryResult, QueryValue } from '../query-result.ts';
export { type AnswerSeries, seriesOf } from './answer-series.ts';
export { Engine } from './module-engine.ts';
export { type PlainSeries, queryableFrom, queryableOf, type ReadSeries } from './plain-series.ts';
