import type { MovablePort } from '../platform/threads.ts';
import type { CancelWords } from './cancel-flags.ts';
import type { JobLimits, QueryJob } from './jobs.ts';
import type { QueryFigures } from './query-observer.ts';
import type { ThreadLoad } from './thread-team.ts';

/** What the main thread sends to a query thread. `view`, `ready` and `reply` are plain data that the wiring understands. */
export type ToThread =
  | {
      readonly type: 'run';
      readonly id: number;
      readonly job: QueryJob;
      readonly limits: JobLimits;
      readonly tenant: string;
      readonly viewNumber: number;
      /** What the number means, the first time it comes. */
      readonly view: unknown;
      /** The number of a view that does not come again; 0 for none. */
      readonly droppedView: number;
      /** Answers to what the query is likely to ask. */
      readonly ready: unknown;
      readonly timeoutMs: number;
      /** How long it waited for its turn. */
      readonly waitedMs: number;
      /** The client's `accept-encoding`. */
      readonly accepts: string | undefined;
      /** Of its `CancelFlag`. */
      readonly cancelIndex: number;
      readonly cancelTicket: number;
    }
  /** Where the thread tells how many queries it runs, and where it hears that one is canceled; comes first. */
  | { readonly type: 'seat'; readonly load: ThreadLoad; readonly cancels: CancelWords }
  /** Another query thread, and where that one tells it. */
  | { readonly type: 'peer'; readonly port: MovablePort; readonly load: ThreadLoad }
  | { readonly type: 'cancel'; readonly id: number }
  /** Of the streamed body of an answer so many bytes were taken: so many more may be sent. */
  | { readonly type: 'taken'; readonly id: number; readonly bytes: number }
  | { readonly type: 'reply'; readonly call: number; readonly reply: unknown; readonly error?: PlainError };

/** What a query thread sends back. */
export type FromThread =
  /** A query would be faster with one more thread. */
  | { readonly type: 'wantHelp' }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly type: 'failure'; readonly id: number; readonly error: PlainError }
  /** The next part of a streamed body, moved. */
  | { readonly type: 'part'; readonly id: number; readonly part: Uint8Array }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'ask'; readonly id: number; readonly call: number; readonly request: unknown };

/** An HTTP answer as it travels: the parts of the body are moved, not copied. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: readonly Uint8Array[];
  /** Instead of parts: a character per byte. What is small goes to another thread sooner so. */
  readonly text?: string;
  /** What the evaluation took, where there was one. */
  readonly figures?: QueryFigures;
  /** Parts follow one by one until `end` or `failure`. */
  readonly streams?: boolean;
}

/** An answer inside its thread: the body may still be in the making. */
export interface ThreadAnswer extends Answer {
  readonly stream?: AsyncIterable<Uint8Array>;
}

export interface PlainError {
  readonly code: string;
  readonly message: string;
}
