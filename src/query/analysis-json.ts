import type { AnalysisNode, HelperFigures, OperatorFigures, ReadFigures } from '../promql/exec/analysis.ts';

/**
 * An analysis as the API shows it: Thanos' keys (`name`, `executionTime`, `peakSamples`, `totalSamples`, `fanout`,
 * `children`), so that its web UI reads it, and Verona's beside them.
 */
export interface AnalysisJson {
  readonly name: string;
  /** Go's text of a duration, children included; `selfTime` without them. */
  readonly executionTime: string;
  readonly selfTime: string;
  readonly peakSamples: number;
  /** Samples read of a selector, samples given of anything else. */
  readonly totalSamples: number;
  readonly peakBytes: number;
  readonly rows: number;
  readonly batches: number;
  readonly fanout?: readonly FanoutJson[];
  /** Of a part that is split by series: what each other thread took over. Its time and rows are not in those above. */
  readonly helpers?: readonly HelperFigures[];
  readonly children?: readonly AnalysisJson[];
}

interface FanoutJson {
  /** What was read: `head`, `block <ULID>` on this disk, `bucket block <ULID>`. */
  readonly endpointAddr: string;
  readonly duration: string;
  readonly bytesProcessed: number;
  readonly numResponses: number;
  readonly series: number;
  readonly chunks: number;
  readonly samples: number;
}

const IDLE: OperatorFigures = {
  timeMs: 0,
  selfTimeMs: 0,
  batches: 0,
  rows: 0,
  samples: 0,
  peakSamples: 0,
  peakBytes: 0,
};

export function analysisJson({ name, operator, reads, helpers, children }: AnalysisNode): AnalysisJson {
  const figures = operator ?? figuresOf(reads);
  return {
    name,
    executionTime: goDuration(figures.timeMs),
    selfTime: goDuration(figures.selfTimeMs),
    peakSamples: figures.peakSamples,
    totalSamples: reads?.samplesRead ?? figures.samples,
    peakBytes: figures.peakBytes,
    rows: figures.rows,
    batches: figures.batches,
    ...(helpers && { helpers }),
    ...(reads && { fanout: reads.sources.map(fanoutJson) }),
    ...(children.length > 0 && { children: children.map(analysisJson) }),
  };
}

/** A range selector is read by the function around it, which has the time and memory of the rest. */
function figuresOf(reads: ReadFigures | undefined): OperatorFigures {
  if (reads === undefined) return IDLE;
  const { timeMs, batches, series, samplesRead } = reads;
  return { ...IDLE, timeMs, selfTimeMs: timeMs, batches, rows: series, samples: samplesRead };
}

function fanoutJson(source: ReadFigures['sources'][number]): FanoutJson {
  const { name, timeMs, bytes, batches, series, chunks, samples } = source;
  return {
    endpointAddr: name,
    duration: goDuration(timeMs),
    bytesProcessed: bytes,
    numResponses: batches,
    series,
    chunks,
    samples,
  };
}

/** As Go prints a `time.Duration`, to the microsecond: `0s`, `12µs`, `3.456ms`, `1.2s`, `2m3s`. */
export function goDuration(ms: number): string {
  const micros = Math.round(ms * 1000);
  if (micros === 0) return '0s';
  if (micros < 1000) return `${micros}µs`;
  if (micros < 1_000_000) return `${micros / 1000}ms`;
  const minutes = Math.floor(micros / 60_000_000);
  const seconds = (micros % 60_000_000) / 1_000_000;
  if (minutes === 0) return `${seconds}s`;
  return minutes < 60 ? `${minutes}m${seconds}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}s`;
}
