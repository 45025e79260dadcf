import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { SystemClock } from '../platform/clock.ts';
import { localChannel } from '../platform/threads.ts';
import { KernelPool } from '../promql/exec/kernel-pool.ts';
import { emptyQuerier } from '../storage/empty-querier.ts';
import { CancelFlags } from './cancel-flags.ts';
import { ThreadHost } from './thread-host.ts';
import type { FromThread } from './thread-protocol.ts';

const damaged = new VeronaError('corrupt', 'a chunk does not decode');

/** What a thread says whose answer is streamed; `streamOf` is asked once for each look. */
async function answered(streamOf: (verifiesChunks: boolean) => AsyncIterable<Uint8Array>): Promise<string[]> {
  const [near, far] = localChannel();
  const said: string[] = [];
  const { promise: over, resolve } = Promise.withResolvers<void>();
  near.onMessage((message) => {
    const one = message as FromThread;
    if (one.type === 'part') said.push(Buffer.from(one.part).toString());
    else if (one.type === 'failure') said.push(one.error.message);
    else said.push(one.type);
    if (one.type === 'end' || one.type === 'failure') resolve();
  });
  let verifies = false;
  const open = (_run: unknown, _ask: unknown, verifiesChunks: boolean) => {
    verifies = verifiesChunks;
    return { querier: async () => emptyQuerier([]) };
  };
  const answer = async () => ({ status: 200, headers: {}, parts: [], stream: streamOf(verifies) });
  new ThreadHost(far, { open, answer, clock: new SystemClock(), kernels: new KernelPool() });
  const flags = new CancelFlags(1);
  near.post({ type: 'seat', load: new Int32Array(new SharedArrayBuffer(4)), cancels: flags.words });
  const flag = flags.take();
  near.post({
    type: 'run',
    id: 1,
    job: { kind: 'remoteRead', body: new Uint8Array() },
    limits: { samplesMax: 0, seriesMax: 0, mint: Number.NEGATIVE_INFINITY },
    tenant: 'a',
    viewNumber: 0,
    view: undefined,
    droppedView: 0,
    ready: [],
    timeoutMs: 10_000,
    waitedMs: 0,
    accepts: undefined,
    cancelIndex: flag.index,
    cancelTicket: flag.ticket,
  });
  await over;
  return said;
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

test('a streamed answer that fails before its first part is made again without what was damaged', async () => {
  const said = await answered(async function* (verifiesChunks) {
    if (!verifiesChunks) throw damaged;
    yield bytes('whole');
  });
  expect(said).toEqual(['answer', 'whole', 'end']);
});

test('a streamed answer that fails later says who sent what was damaged', async () => {
  const said = await answered(async function* (verifiesChunks) {
    yield bytes('begun');
    throw verifiesChunks ? new VeronaError('corrupt', 'store b: a chunk does not decode') : damaged;
  });
  expect(said).toEqual(['answer', 'begun', 'store b: a chunk does not decode']);
});

test('a streamed answer that would have left out somebody has failed all the same', async () => {
  const said = await answered(async function* (verifiesChunks) {
    yield bytes('begun');
    if (!verifiesChunks) throw damaged;
  });
  expect(said).toEqual(['answer', 'begun', 'a chunk does not decode']);
});
