import { availableParallelism } from 'node:os';
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
  return {
    post: (message, transfer) => port.postMessage(message, transfer ? [...transfer] : undefined),
    onMessage: (handle) => port.on('message', handle),
  };
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
  const worker = new Worker(file, {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: limits.oldMiB, maxYoungGenerationSizeMb: limits.youngMiB },
  });
  worker.unref();
  let failure: Error | undefined;
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer ? [...transfer] : undefined),
    onMessage: (handle) => worker.on('message', handle),
    onExit: (handle) => worker.on('exit', () => handle(failure)),
    stop: async () => {
      await worker.terminate();
    },
  };
}

/** Inside a thread: the port to the one that started it, and what it was started with. */
export function threadParent(): { port: Port; data: unknown } {
  const parent = parentPort as NodePort;
  return {
    port: {
      post: (message, transfer) => parent.postMessage(message, transfer ? [...transfer] : undefined),
      onMessage: (handle) => parent.on('message', handle),
    },
    data: workerData,
  };
}

/** Two connected ports in this thread, for tests and the simulator. Delivery is asynchronous, and messages are cloned. */
export function localChannel(): [Port, Port] {
  const handlers: ((message: unknown) => void)[][] = [[], []];
  const end = (own: number): Port => ({
    post: (message, transfer) => {
      const copy = structuredClone(message, { transfer: transfer ? [...transfer] : [] });
      queueMicrotask(() => {
        for (const handle of handlers[1 - own]) handle(copy);
      });
    },
    onMessage: (handle) => {
      handlers[own].push(handle);
    },
  });
  return [end(0), end(1)];
}

export function processorCount(): number {
  return availableParallelism();
}
