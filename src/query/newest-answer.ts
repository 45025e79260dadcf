import { ChunkEncoding } from '../chunkenc/encoding.ts';
import { decodeXor } from '../chunkenc/xor.ts';
import { formatFloat, formatSeconds } from '../encoding/number-text.ts';
import type { GatheredSeries } from '../kernel/head-memory.ts';
import type { Matcher } from '../model/matcher.ts';
import { isStaleAt } from '../model/sample.ts';
import { latin1Text } from '../platform/compress-body.ts';
import { LabelColumn } from '../promql/exec/label-column.ts';
import type { Expr } from '../promql/parser/ast.ts';
import type { ParseOptions } from '../promql/parser/options.ts';
import { parseExpr } from '../promql/parser/parse.ts';
import type { JobLimits, QueryJob } from './jobs.ts';
import { JSON_BEGIN, jsonEnd, jsonHeaders, NO_ANNOTATIONS } from './json-answer.ts';
import type { Answer } from './thread-protocol.ts';

type InstantJob = Extract<QueryJob, { kind: 'instant' }>;

/** Series in an answer that is made at once: below what sending them to another thread would take. */
const SERIES_MAX = 32;
const TEXTS_MAX = 512;
const TEXT_LENGTH_MAX = 512;
/** Larger answers may be compressed. */
const PLAIN_LENGTH_MAX = 1024;

/** Tells instant queries that are nothing but a selector, `up{job="a"}`: of the newest samples alone they are answered. */
export class BareSelectors {
  readonly #options: ParseOptions;
  /** What a text asks for; undefined where it is something else. The least recently used first. */
  readonly #known = new Map<string, readonly Matcher[] | undefined>();

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  /** The matchers of such a query that wants its values only; undefined for all others. */
  matchersOf({ query, limit, stats, analyze, read }: InstantJob): readonly Matcher[] | undefined {
    if (query.length > TEXT_LENGTH_MAX || limit > 0 || stats !== 'none' || analyze || read !== undefined)
      return undefined;
    if (!this.#known.has(query)) return this.#remember(query, this.#parse(query));
    const matchers = this.#known.get(query);
    this.#known.delete(query);
    return this.#remember(query, matchers);
  }

  #remember(query: string, matchers: readonly Matcher[] | undefined): readonly Matcher[] | undefined {
    this.#known.set(query, matchers);
    const [oldest] = this.#known.keys();
    if (this.#known.size > TEXTS_MAX) this.#known.delete(oldest);
    return matchers;
  }

  /** What is wrong with a query is for a query thread to say. */
  #parse(query: string): readonly Matcher[] | undefined {
    try {
      return bareMatchers(parseExpr(query, this.#options));
    } catch {
      return undefined;
    }
  }
}

function bareMatchers(expr: Expr): readonly Matcher[] | undefined {
  if (expr.kind === 'paren') return bareMatchers(expr.expr);
  if (expr.kind !== 'vector' || expr.anchored || expr.smoothed) return undefined;
  return expr.offset === undefined && expr.at === undefined ? expr.matchers : undefined;
}

/**
 * The answer to an instant query for a bare selector, of what a select of `newestOnly` gathered for it (`mint` is the first
 * moment it looks back to). Undefined when that is more than a few series of which the newest sample is there alone.
 */
export function answerNewest(
  gathered: GatheredSeries | undefined,
  { timeMs }: InstantJob,
  mint: number,
  { samplesMax, seriesMax }: JobLimits,
): Answer | undefined {
  if (gathered === undefined || gathered.seriesCount === 0) return vectorAnswer([], 0);
  const { seriesCount, labelBytes, labelOffsets } = gathered;
  if (seriesCount > Math.min(SERIES_MAX, samplesMax || SERIES_MAX, seriesMax || SERIES_MAX)) return undefined;
  const labels = LabelColumn.fromBytes(labelBytes, labelOffsets, seriesCount);
  const time = formatSeconds(timeMs);
  const rows: string[] = [];
  for (const i of seriesCount > 1 ? labels.order(NO_METER) : ONLY_ROW) {
    const value = newestOf(gathered, i, mint, timeMs);
    if (value === undefined) return undefined;
    if (value !== STALE) rows.push(`{"metric":${latin1Text(labels.jsonOf(i))},"value":[${time},"${value}"]}`);
  }
  return vectorAnswer(rows, seriesCount);
}

/** `rows` have a character for each byte. */
function vectorAnswer(rows: readonly string[], samplesRead: number): Answer {
  const text = `${JSON_BEGIN}{"resultType":"vector","result":[${rows.join(',')}]}${jsonEnd(NO_ANNOTATIONS)}`;
  const isPlain = text.length < PLAIN_LENGTH_MAX;
  return {
    status: 200,
    headers: jsonHeaders(NO_ANNOTATIONS),
    ...(isPlain ? { parts: [], text } : { parts: [Buffer.from(text, 'latin1')] }),
    figures: { samplesRead, peakSamples: rows.length, planMs: 0, evaluationMs: 0 },
  };
}

const ONLY_ROW = [0];
/** So few rows need no look at the clock. */
const NO_METER = { workedOn: () => {}, compared: () => {} };

const STALE = '';

/** The text of the only sample of a series; undefined when there are others, or none of that time. */
function newestOf(gathered: GatheredSeries, i: number, mint: number, maxt: number): string | undefined {
  const { chunkStarts, chunkRef, chunkEncoding, chunkData, chunkDataOffset, chunkDataLength } = gathered;
  const c = chunkStarts[i];
  const isOne = chunkStarts[i + 1] === c + 1 && chunkRef[c] < 0 && chunkEncoding[c] === ChunkEncoding.xor;
  if (!isOne || chunkData[chunkDataOffset[c]] !== 0 || chunkData[chunkDataOffset[c] + 1] !== 1)
    return undefined;
  const { timestamps, values } = decodeXor(chunkData, chunkDataOffset[c], chunkDataLength[c]);
  const [t] = timestamps;
  if (t < mint || t > maxt) return undefined;
  const isStale = isStaleAt(new Uint32Array(values.buffer, values.byteOffset, 2), 0);
  return isStale ? STALE : formatFloat(values[0]);
}
