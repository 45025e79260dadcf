import { WireReader } from '../encoding/protobuf.ts';
import { VeronaError, wrapError } from '../model/errors.ts';
import { toFloatHistogram } from '../model/histogram-shape.ts';
import type { Matcher } from '../model/matcher.ts';
import { assert } from '../platform/assert.ts';
import type { Clock } from '../platform/clock.ts';
import type {
  RemoteAnswer,
  RemoteEngines,
  RemoteRequest,
  RemoteRow,
  RemoteShare,
} from '../promql/exec/remote-engines.ts';
import { type QueryFrame, readQueryFrame } from '../proto/query-response.ts';
import { labelsFromFlat } from '../proto/remote-write.ts';
import type { TimeSeries } from '../proto/time-series.ts';
import { disjointStores } from '../storeapi/disjoint-stores.ts';
import { gather } from '../storeapi/gather.ts';
import type { WireQueryRangeRequest, WireQueryRequest } from '../storeapi/messages.ts';
import type { RemoteStore, RemoteStores } from '../storeapi/remote-stores.ts';
import type { PartialResponse } from '../storeapi/store-server.ts';

export interface DistributedOptions {
  readonly tenant: string;
  readonly stores: readonly RemoteStore[];
  readonly partialResponse: PartialResponse;
  readonly maxResolutionMs: number;
  /** None when the answer is to show each replica. */
  readonly replicaLabels: readonly string[];
  /** Nothing before this time is shown, ms. */
  readonly mint: number;
  readonly timeoutMs: number;
}

const BATCH = 64;

/** Parts of a query, evaluated by the stores that `disjointStores` finds. */
export class DistributedQueries implements RemoteEngines {
  readonly #remotes: RemoteStores;
  readonly #options: DistributedOptions;
  readonly #clock: Clock;

  constructor(remotes: RemoteStores, options: DistributedOptions, clock: Clock) {
    this.#remotes = remotes;
    this.#options = options;
    this.#clock = clock;
  }

  share(matchers: readonly Matcher[], mint: number, maxt: number): RemoteShare | undefined {
    const { stores, replicaLabels, mint: first } = this.#options;
    // A peer knows nothing of what this process does not show.
    if (mint < first) return undefined;
    const { alone, hasRest } = disjointStores(stores, { matchers, mint, maxt }, replicaLabels);
    return alone.length === 0 ? undefined : { targets: alone, hasRest };
  }

  async evaluate(request: RemoteRequest, signal: AbortSignal): Promise<RemoteAnswer> {
    const { partialResponse } = this.#options;
    const { stallMs } = this.#remotes.options;
    const answers = request.targets.map(() => new PeerAnswer());
    const sources = request.targets.map((name, i) => ({
      name,
      messages: (own: AbortSignal) => this.#ask(name, request, answers[i], own),
    }));
    const { warnings } = await gather(sources, { partialResponse, stallMs, signal }, this.#clock);
    return {
      rows: answers.flatMap(({ rows }) => rows),
      remarks: [...warnings, ...answers.flatMap(({ remarks }) => remarks)],
      samplesRead: answers.reduce((sum, { samplesRead }) => sum + samplesRead, 0),
      isRefused: answers.some(({ isRefused }) => isRefused),
    };
  }

  /** Puts what comes into `answer`; gives nothing but signs of life. */
  async *#ask(
    name: string,
    request: RemoteRequest,
    answer: PeerAnswer,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly warning?: string }> {
    const { bytesMax, seriesMax } = this.#remotes.options;
    let bytes = 0;
    try {
      for await (const frame of this.#frames(name, request, signal)) {
        bytes += frame.length;
        answer.take(name, readFrame(name, frame));
        if (bytes > bytesMax || answer.rows.length > seriesMax)
          throw new VeronaError(
            'limit',
            `${name}: an answer has more than ${bytesMax} bytes or ${seriesMax} series`,
          );
        yield {};
      }
    } catch (error) {
      if (!isRefusal(error)) throw error;
      answer.isRefused = true;
    }
  }

  #frames(name: string, { query, grid, lookbackMs }: RemoteRequest, signal: AbortSignal) {
    const { tenant, stores } = this.#options;
    const store = stores.find(({ address }) => address === name);
    assert(store !== undefined, 'targets are among the stores');
    const seconds = (ms: number) => ms / 1000;
    const shared = { ...this.#sharedOptions(), query, lookback_delta_seconds: seconds(lookbackMs) };
    if (grid.count === 1) {
      const once: WireQueryRequest = { ...shared, time_seconds: seconds(grid.start) };
      // A time of nothing means now.
      if (grid.start !== 0) return this.#remotes.queries(store, 'Query', tenant, once, signal);
    }
    const range: WireQueryRangeRequest = {
      ...shared,
      start_time_seconds: seconds(grid.start),
      end_time_seconds: seconds(grid.start + (grid.count - 1) * grid.step),
      interval_seconds: grid.count === 1 ? 1 : seconds(grid.step),
    };
    return this.#remotes.queries(store, 'QueryRange', tenant, range, signal);
  }

  #sharedOptions() {
    const { partialResponse, maxResolutionMs, replicaLabels, timeoutMs } = this.#options;
    return {
      timeout_seconds: Math.ceil(timeoutMs / 1000),
      max_resolution_seconds: Math.floor(maxResolutionMs / 1000),
      replica_labels: replicaLabels,
      storeMatchers: [],
      enableDedup: replicaLabels.length > 0,
      enablePartialResponse: partialResponse === 'warn',
      response_batch_size: BATCH,
    };
  }
}

/** What one peer has said so far. */
class PeerAnswer {
  readonly rows: RemoteRow[] = [];
  readonly remarks: string[] = [];
  samplesRead = 0;
  isRefused = false;

  take(name: string, frame: QueryFrame): void {
    if (frame.kind === 'stats') this.samplesRead += frame.samplesTotal;
    else if (frame.kind === 'series') for (const series of frame.series) this.rows.push(rowOf(series));
    else this.remarks.push(frame.warning.startsWith('PromQL ') ? frame.warning : `${name}: ${frame.warning}`);
  }
}

function readFrame(name: string, frame: Uint8Array): QueryFrame {
  try {
    return readQueryFrame(new WireReader(frame));
  } catch (error) {
    throw wrapError(`${name}: a response does not decode`, error, 'corrupt');
  }
}

function rowOf({ labels, samples, histograms }: TimeSeries): RemoteRow {
  return {
    labels: labelsFromFlat(labels),
    times: samples.map(({ t }) => t),
    values: samples.map(({ v }) => v),
    histogramTimes: histograms.map(({ t }) => t),
    histograms: histograms.map(({ histogram }) => toFloatHistogram(histogram)),
  };
}

/** A peer of another age or make: what it does not know it can still give the series for. */
function isRefusal(error: unknown): boolean {
  return error instanceof VeronaError && (error.code === 'bad_data' || error.code === 'unsupported_media');
}
