import { afterEach, expect, test } from 'vitest';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { EndpointSet } from './endpoint-set.ts';
import type { StreamingService } from './grpc-server.ts';
import { JoinedServices, type ServiceQuestion } from './joined-services.ts';
import type { WireMetadataResponse } from './service-messages.ts';
import { loopback } from './testdata/loopback.ts';

const clock = new SystemClock();
const signal = new AbortController().signal;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const noStore = {
  info: async () => ({ component: 'sidecar', labelSets: [], mint: 0, maxt: 1 }),
  async *series() {},
  labelNames: async () => ({ values: [], warnings: [] }),
  labelValues: async () => ({ values: [], warnings: [] }),
};

type Says = (signal: AbortSignal) => AsyncIterable<object>;

const metadataOf = (name: string) => ({
  metadata: { metadata: { [name]: { metas: [{ type: 'gauge', help: '', unit: '' }] } } },
});

function metadataService(says: Says): StreamingService {
  return { service: 'metadata', methods: { MetricMetadata: (_tenant, _request, own) => says(own) } };
}

/** One endpoint for each; `undefined` offers no metadata. */
async function joined(own: Says, ...peers: (Says | undefined)[]) {
  const opened = await Promise.all(
    peers.map((says) => loopback(noStore, { streaming: says ? [metadataService(says)] : [] })),
  );
  const clients = new Map(opened.map(({ client }) => [client.address, client]));
  const endpoints = new EndpointSet(
    {
      endpoints: async () => [...clients.keys()].map((address) => ({ address, strict: false, group: false })),
      checkIntervalMs: 60_000,
      unhealthyTimeoutMs: 60_000,
    },
    (address) => clients.get(address)!,
    {
      clock,
      log: silentLogger,
      metrics: new Metrics(),
      resolver: { addresses: async () => [], services: async () => [] },
    },
  );
  await endpoints.check();
  for (const { close } of opened) closers.push(close);
  const addresses = [...clients.keys()];
  return { services: new JoinedServices([metadataService(own)], endpoints, 300, clock), addresses };
}

const question: ServiceQuestion<WireMetadataResponse> = {
  service: 'metadata',
  method: 'MetricMetadata',
  tenant: 'anonymous',
  request: { metric: '', limit: -1 },
  partialResponse: 'warn',
  asks: () => true,
  admit: (message) => message,
};

const names = (messages: readonly WireMetadataResponse[]) =>
  messages.flatMap(({ metadata }) => Object.keys(metadata?.metadata ?? {}));

async function* says(...messages: object[]) {
  yield* messages;
}

test('what this process and the endpoints that offer a service say comes in their order, with their warnings', async () => {
  const { services, addresses } = await joined(
    () => says(metadataOf('own')),
    () => says(metadataOf('a'), { warning: 'half of it' }),
    undefined,
    () => says(metadataOf('b')),
  );
  const { messages, warnings } = await services.ask(question, signal);
  expect(names(messages)).toEqual(['own', 'a', 'b']);
  expect(warnings).toEqual([`${addresses[0]}: half of it`]);
});

test('nobody is asked whom the request does not want, and nothing passes that the tenant may not see', async () => {
  const { services, addresses } = await joined(
    () => says(metadataOf('own')),
    () => says(metadataOf('a')),
    () => says(metadataOf('b')),
  );
  const chosen = { ...question, asks: ({ address }: { address: string }) => address === addresses[1] };
  expect(names((await services.ask(chosen, signal)).messages)).toEqual(['own', 'b']);
  const none = { ...question, asks: undefined };
  expect(names((await services.ask(none, signal)).messages)).toEqual(['own']);
  const narrowed = { ...question, admit: () => undefined };
  expect(names((await services.ask(narrowed, signal)).messages)).toEqual(['own']);
});

test('an endpoint that fails or stalls is a warning that names it, or the error of the whole', async () => {
  const stopped = Promise.withResolvers<void>();
  const { services, addresses } = await joined(
    () => says(metadataOf('own')),
    async function* () {
      yield metadataOf('a');
      throw new Error('secret');
    },
    async function* (own) {
      own.addEventListener('abort', () => stopped.resolve());
      yield metadataOf('b');
      await new Promise(() => {});
    },
  );
  const { messages, warnings } = await services.ask(question, signal);
  expect(names(messages)).toEqual(['own', 'a', 'b']);
  expect(warnings).toEqual([
    expect.stringMatching(new RegExp(`^${addresses[0]}: internal error`)),
    `${addresses[1]}: nothing came for 0.3 s`,
  ]);
  await stopped.promise;
  await expect(services.ask({ ...question, partialResponse: 'abort' }, signal)).rejects.toThrow(addresses[0]);
});

test('a request that is canceled cancels every endpoint', async () => {
  const asked = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  const { services } = await joined(
    () => says(),
    async function* (own) {
      own.addEventListener('abort', () => stopped.resolve());
      asked.resolve();
      await new Promise(() => {});
    },
  );
  const gone = new AbortController();
  const answer = services.ask(question, gone.signal);
  await asked.promise;
  gone.abort(new Error('hung up'));
  await expect(answer).rejects.toThrow('hung up');
  await stopped.promise;
});
