import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import {
  MessageChannel,
  type MessagePort,
  type MessagePort as NodePort,
  parentPort,
  Worker,
  workerData,
} from 'node:worker_threads';

/** One end of a channel between two threads. Messages arrive in order; `transfer` moves memory instead of copying it. */
export interface Port {
  post(message: unknown, transfer?: readonly Movable[]): void;
  /** The same, but together with others at the end of this turn of the event loop: waking a thread costs more than a message. */
  postSoon(message: unknown, transfer?: readonly Movable[]): void;
  onMessage(handle: (message: unknown) => void): void;
}

/** What a message moves instead of copying it. */
export type Movable = ArrayBuffer | MovablePort;

/** An end of a channel on its way to the thread that will open it. Opaque. */
export type MovablePort = MessagePort;

/** A channel between two other threads: each end goes into a message and its list of what moves, to be opened there. */
export function newChannel(): [MovablePort, MovablePort] {
  const { port1, port2 } = new MessageChannel();
  return [port1, port2];
}

/** `onClose` is called when the other end is gone. */
export function openPort(port: MovablePort, onClose: () => void): Port {
  port.on('close', onClose);
  port.start();
  return new Outbox(
    (message, transfer) => port.postMessage(message, transfer),
    (receive) => port.on('message', receive),
    (error) => {
      throw error;
    },
  );
}

/** Sends messages in lists of one or of many; the other end need not know which. */
class Outbox implements Port {
  readonly #send: (message: unknown, transfer: Movable[]) => void;
  readonly #listen: (receive: (message: unknown) => void) => void;
  readonly #refused: (error: Error) => void;
  #waiting: { message: unknown; transfer: readonly Movable[] }[] = [];

  /** `refused` learns of messages that could not be sent later, which nobody can be told any more. */
  constructor(
    send: (message: unknown, transfer: Movable[]) => void,
    listen: (receive: (message: unknown) => void) => void,
    refused: (error: Error) => void,
  ) {
    this.#send = send;
    this.#listen = listen;
    this.#refused = refused;
  }

  post(message: unknown, transfer: readonly Movable[] = []): void {
    this.#flush();
    this.#send([message], [...transfer]);
  }

  postSoon(message: unknown, transfer: readonly Movable[] = []): void {
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    this.#waiting.push({ message, transfer });
  }

  onMessage(handle: (message: unknown) => void): void {
    this.#listen((received) => {
      for (const message of received as readonly unknown[]) handle(message);
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    try {
      this.#send(
        waiting.map(({ message }) => message),
        waiting.flatMap(({ transfer }) => transfer),
      );
    } catch (error) {
      this.#refused(error as Error);
    }
  }
}

/** Another thread of this process, seen from the one that started it. */
export interface Thread extends Port {
  /** Called once when the thread ended, with the error that ended it, if any. */
  onExit(handle: (error: Error | undefined) => void): void;
  stop(): Promise<void>;
}

/** Most memory that a thread's objects may take, MiB: those that live long, and those just made. */
export interface HeapLimits {
  readonly oldMiB?: number;
  readonly youngMiB?: number;
}

/** Starts `file` (a URL of a TypeScript module) on a thread of its own with `data`. It does not keep the process alive. */
export function startThread(file: URL, data: unknown, limits: HeapLimits = {}): Thread {
  if (limits.youngMiB !== undefined) makeRoomForYoung(limits.youngMiB);
  const worker = new Worker(file, {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: limits.oldMiB, maxYoungGenerationSizeMb: limits.youngMiB },
  });
  worker.unref();
  let failure: Error | undefined;
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  const outbox = new Outbox(
    (message, transfer) => worker.postMessage(message, transfer),
    (receive) => worker.on('message', receive),
    (error) => {
      // Whoever waits for an answer learns of it when the thread ends.
      failure = error;
      worker.terminate().catch(() => {});
    },
  );
  return {
    post: (message, transfer) => outbox.post(message, transfer),
    postSoon: (message, transfer) => outbox.postSoon(message, transfer),
    onMessage: (handle) => outbox.onMessage(handle),
    onExit: (handle) => worker.on('exit', () => handle(failure)),
    stop: async () => {
      await worker.terminate();
    },
  };
}

/** Of the young objects of a thread there are two halves, and a third of the same size for large ones. */
const YOUNG_PARTS = 3;

/**
 * `--max-semi-space-size` of the command line goes before a thread's own limit; a thread reads it when it starts, this one has
 * read it. Without a least size as well the room begins at a megabyte and grows only with what stays alive.
 */
function makeRoomForYoung(youngMiB: number): void {
  const halfMiB = Math.max(1, Math.floor(youngMiB / YOUNG_PARTS));
  setFlagsFromString(`--max-semi-space-size=${halfMiB}`);
  setFlagsFromString(`--min-semi-space-size=${halfMiB}`);
}

/** Inside a thread: the port to the one that started it, and what it was started with. */
export function threadParent(): { port: Port; data: unknown } {
  const parent = parentPort as NodePort;
  return {
    port: new Outbox(
      (message, transfer) => parent.postMessage(message, transfer),
      (receive) => parent.on('message', receive),
      (error) => {
        throw error;
      },
    ),
    data: workerData,
  };
}

/** Two connected ports in this thread, for tests and the simulator. Delivery is asynchronous, and messages are cloned. */
export function localChannel(): [Port, Port] {
  const handlers: ((message: unknown) => void)[][] = [[], []];
  const end = (own: number): Port => {
    const post: Port['post'] = (message, transfer) => {
      const copy = structuredClone(message, { transfer: transfer ? [...transfer] : [] });
      queueMicrotask(() => {
        for (const handle of handlers[1 - own]) handle(copy);
      });
    };
    return { post, postSoon: post, onMessage: (handle) => handlers[own].push(handle) };
  };
  return [end(0), end(1)];
}

export function processorCount(): number {
  return availableParallelism();
}
