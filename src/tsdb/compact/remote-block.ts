import { type ErrorCode, VeronaError } from '../../model/errors.ts';
import type { Port, Thread } from '../../platform/threads.ts';
import type { BlockMeta } from '../block/meta.ts';
import { type HeadSlice, movedOf, type PackedSlice, packSlice, unpackSlice } from '../head/head-slice.ts';
import type { BlockMaker, BlockPlace, BlockUnderWay } from './block-maker.ts';

type BlockRequest =
  | { readonly op: 'begin'; readonly place: BlockPlace; readonly seriesCount: number }
  | { readonly op: 'add'; readonly slice: PackedSlice }
  | { readonly op: 'finish' }
  | { readonly op: 'abort' };

/** The answer to a request; they are answered in order. */
type BlockReply =
  | { readonly meta: BlockMeta | undefined }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } };

/** Heads with fewer series are made into blocks without a thread: starting one costs more. */
const THREAD_SERIES_MIN = 10_000;

/** The block thread's side: makes one block at a time with `maker`, as it is told. */
export function serveBlocks(port: Port, maker: BlockMaker): void {
  let block: BlockUnderWay | undefined;
  const handle = async (request: BlockRequest): Promise<BlockMeta | undefined> => {
    if (request.op === 'begin') block = await maker.begin(request.place, request.seriesCount);
    else if (request.op === 'add') await block?.add(unpackSlice(request.slice));
    else if (request.op === 'finish') return block?.finish();
    else await block?.abort();
    return undefined;
  };
  let before: Promise<unknown> = Promise.resolve();
  port.onMessage((message) => {
    before = before
      .then(() => handle(message as BlockRequest))
      .then((meta) => port.post({ meta } satisfies BlockReply))
      .catch((error: Error) => port.post({ failure: failureOf(error) } satisfies BlockReply));
  });
}

function failureOf(error: Error) {
  const code: ErrorCode = error instanceof VeronaError ? error.code : 'internal';
  return { code, message: error.message };
}

/** Writes blocks of large heads on a thread of their own, one after the other, so that the thread of writes is free for them. */
export class ThreadBlockMaker implements BlockMaker {
  readonly #start: () => Thread;
  readonly #local: BlockMaker;
  /** Ends when the block before is done: one thread at a time. */
  #before: Promise<void> = Promise.resolve();

  readonly #threadSeriesMin: number;

  /** `local` makes the blocks of heads with fewer than `threadSeriesMin` series. */
  constructor(start: () => Thread, local: BlockMaker, threadSeriesMin = THREAD_SERIES_MIN) {
    this.#start = start;
    this.#local = local;
    this.#threadSeriesMin = threadSeriesMin;
  }

  async begin(place: BlockPlace, seriesCount: number): Promise<BlockUnderWay> {
    if (seriesCount < this.#threadSeriesMin) return this.#local.begin(place, seriesCount);
    const { before, done } = this.#queue();
    await before;
    const block = new RemoteBlock(this.#startThread(done), done);
    await block.begin(place, seriesCount);
    return block;
  }

  /** A thread that cannot be started must not keep those who come later waiting. */
  #startThread(done: () => void): Thread {
    try {
      return this.#start();
    } catch (cause) {
      done();
      throw new VeronaError('unavailable', `start a block thread: ${(cause as Error).message}`, { cause });
    }
  }

  #queue(): { before: Promise<void>; done: () => void } {
    const before = this.#before;
    const { promise, resolve: done } = Promise.withResolvers<void>();
    this.#before = promise;
    return { before, done };
  }
}

interface Waiting {
  readonly resolve: (meta: BlockMeta | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** A block that another thread writes. One slice is under way while the next one is gathered here. */
class RemoteBlock implements BlockUnderWay {
  readonly #thread: Thread;
  readonly #done: () => void;
  readonly #waiting: Waiting[] = [];
  #added: Promise<unknown> = Promise.resolve();
  #ended: Error | undefined;

  constructor(thread: Thread, done: () => void) {
    this.#thread = thread;
    this.#done = done;
    thread.onMessage((message) => this.#settle(message as BlockReply));
    thread.onExit((error) => this.#fail(error));
  }

  async begin(place: BlockPlace, seriesCount: number): Promise<void> {
    try {
      await this.#ask({ op: 'begin', place, seriesCount });
    } catch (error) {
      await this.#stop();
      throw error;
    }
  }

  async add(slice: HeadSlice): Promise<void> {
    await this.#added;
    const packed = packSlice(slice);
    this.#added = this.#ask({ op: 'add', slice: packed }, movedOf(packed));
    // Told by the next call.
    this.#added.catch(() => {});
  }

  async finish(): Promise<BlockMeta | undefined> {
    await this.#added;
    const meta = await this.#ask({ op: 'finish' });
    await this.#stop();
    return meta;
  }

  async abort(): Promise<void> {
    // Of a thread that is gone, the folder of the block is left; it is removed with the unfinished block.
    if (this.#ended === undefined) await this.#ask({ op: 'abort' }).catch(() => {});
    await this.#stop();
  }

  #ask(request: BlockRequest, transfer: readonly ArrayBuffer[] = []): Promise<BlockMeta | undefined> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#thread.post(request, transfer);
    });
  }

  #settle(reply: BlockReply): void {
    const asked = this.#waiting.shift();
    if ('meta' in reply) asked?.resolve(reply.meta);
    else asked?.reject(new VeronaError(reply.failure.code, reply.failure.message));
  }

  #fail(cause: Error | undefined): void {
    this.#ended = new VeronaError(
      'unavailable',
      `block thread ended: ${cause?.message ?? 'without a word'}`,
      {
        cause,
      },
    );
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
    this.#done();
  }

  async #stop(): Promise<void> {
    await this.#thread.stop();
    this.#done();
  }
}
