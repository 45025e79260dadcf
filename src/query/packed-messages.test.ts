import { expect, test } from 'vitest';
import type { QueryJob } from './jobs.ts';
import { packFromThread, packToThread, unpackFromThread, unpackToThread } from './packed-messages.ts';
import type { FromThread, ToThread } from './thread-protocol.ts';

const options = { query: 'up', lookbackDeltaMs: 1, limit: 2, stats: 'some', analyze: true } as const;
const read = {
  dedup: true,
  replicaLabels: undefined,
  partialResponse: undefined,
  storeMatches: [],
} as const;
const JOBS: QueryJob[] = [
  { kind: 'instant', timeMs: 5, ...options },
  { kind: 'instant', timeMs: 5, resolutionMaxMs: 7, ...options },
  { kind: 'range', startMs: 1, endMs: 9, stepMs: 5, resolutionBestMs: 1, ...options },
  { kind: 'instant', timeMs: 5, ...options, read },
  { kind: 'range', startMs: 1, endMs: 9, stepMs: 3, ...options },
  { kind: 'labelValues', name: 'x', matcherSets: [], startMs: 0, endMs: 1, limit: 0 },
  {
    kind: 'storeLabelNames',
    request: {
      partial_response_disabled: false,
      partial_response_strategy: 0,
      start: 1,
      end: 2,
      matchers: [],
      limit: 0,
      without_replica_labels: [],
    },
    external: [],
  },
];

/** As it is on the other side. */
function sent<T>(message: T): T {
  return structuredClone(message);
}

test.each(JOBS)('a query arrives as it was sent', (job) => {
  const run: ToThread = {
    type: 'run',
    id: 3,
    job,
    limits: {
      samplesMax: 10,
      seriesMax: 11,
      mint: Number.NEGATIVE_INFINITY,
      ofStore: job.kind === 'storeLabelNames' ? { seriesMax: 12, samplesMax: 13 } : undefined,
    },
    tenant: 't',
    viewNumber: 4,
    view: { hasHead: true },
    droppedView: 2,
    ready: ['key', undefined],
    timeoutMs: 100.5,
    waitedMs: 0.25,
    accepts: 'gzip',
    cancelIndex: 8,
    cancelTicket: 9,
  };
  expect(unpackToThread(sent(packToThread(run)))).toEqual(run);
});

test('answers and all other messages arrive as they were sent', () => {
  const figures = { samplesRead: 1, peakSamples: 2, planMs: 0.5, evaluationMs: 1.5 };
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  const messages: FromThread[] = [
    { type: 'answer', id: 1, answer: { status: 200, headers, parts: [], text: '{}', figures } },
    { type: 'answer', id: 1, answer: { status: 200, headers: {}, parts: [], text: '{}', figures } },
    { type: 'answer', id: 1, answer: { status: 200, headers, parts: [], text: '{}' } },
    { type: 'answer', id: 1, answer: { status: 200, headers, parts: [Uint8Array.of(1)], figures } },
    { type: 'answer', id: 1, answer: { status: 200, headers, parts: [], streams: true } },
    { type: 'failure', id: 1, error: { code: 'timeout', message: 'late' } },
  ];
  for (const message of messages) expect(unpackFromThread(sent(packFromThread(message)))).toEqual(message);
  const cancel: ToThread = { type: 'cancel', id: 7 };
  expect(unpackToThread(sent(packToThread(cancel)))).toEqual(cancel);
});
