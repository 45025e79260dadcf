import { snappyCompress } from '../src/encoding/snappy.ts';
import type { Exemplar } from '../src/model/exemplar.ts';
import type { Histogram } from '../src/model/histogram.ts';
import { Labels } from '../src/model/labels.ts';
import { STALE_NAN } from '../src/model/sample.ts';
import { encodeWriteRequest } from '../src/proto/remote-write.ts';
import { encodeWriteRequestV2 } from '../src/proto/remote-write-v2.ts';
import type { TimeSeries } from '../src/proto/time-series.ts';

export interface Sending {
  readonly tenant?: string;
  readonly version?: 1 | 2;
  readonly signal?: AbortSignal;
}

/** Sends one remote-write request; resolves with whatever was answered. */
export function send(
  url: string,
  timeSeries: readonly TimeSeries[],
  sending: Sending = {},
): Promise<Response> {
  const { version = 1 } = sending;
  const message =
    version === 1 ? encodeWriteRequest({ timeSeries, metadata: [] }) : encodeWriteRequestV2({ timeSeries });
  return sendBody(url, snappyCompress(message).slice(), sending);
}

export function sendBody(
  url: string,
  body: Uint8Array<ArrayBuffer>,
  sending: Sending = {},
): Promise<Response> {
  const { tenant, version = 1, signal } = sending;
  const headers: Record<string, string> = {
    'content-encoding': 'snappy',
    'content-type': `application/x-protobuf${version === 2 ? ';proto=io.prometheus.write.v2.Request' : ''}`,
    'x-prometheus-remote-write-version': version === 2 ? '2.0.0' : '0.1.0',
    ...(tenant && { 'x-scope-orgid': tenant }),
  };
  return fetch(url, { method: 'POST', headers, body, signal });
}

/** Sends and throws when anything was refused. */
export async function push(
  url: string,
  timeSeries: readonly TimeSeries[],
  sending: Sending = {},
): Promise<void> {
  const response = await send(url, timeSeries, sending);
  if (!response.ok) throw new Error(`${url}: ${response.status}: ${await response.text()}`);
}

/** `stale` is the marker that ends a series: as a number in an array it would become just any NaN. */
export function floats(
  labels: Record<string, string>,
  samples: readonly (readonly [t: number, v: number | 'stale'])[],
  exemplars: readonly Exemplar[] = [],
): TimeSeries {
  const { flat } = Labels.from(labels);
  const sent = samples.map(([t, v]) => ({ t, v: v === 'stale' ? STALE_NAN : v, startT: 0 }));
  return { labels: flat, samples: sent, histograms: [], exemplars };
}

/** Native histograms of schema 0 with `n` observations at 1 and `n` around 3, one at each time. */
export function histograms(
  labels: Record<string, string>,
  samples: readonly (readonly [t: number, n: number])[],
): TimeSeries {
  const { flat } = Labels.from(labels);
  const messages = samples.map(([t, n]) => ({ t, histogram: histogramOf(n), startT: 0 }));
  return { labels: flat, samples: [], histograms: messages, exemplars: [] };
}

function histogramOf(n: number): Histogram {
  return {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 1,
    count: 2 * n + 1,
    sum: 4 * n,
    positiveSpans: [
      { offset: 0, length: 1 },
      { offset: 1, length: 1 },
    ],
    negativeSpans: [],
    customValues: [],
    positiveBuckets: [n, 0],
    negativeBuckets: [],
  };
}

export function exemplar(traceId: string, value: number, t: number): Exemplar {
  return { labels: Labels.from({ trace_id: traceId }), value, t, hasTimestamp: true };
}
