import type { PartRequest, PartResult, PlainRows } from '../promql/exec/series-team.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import type { CancelFlag } from './cancel-flags.ts';
import type { PlainError } from './thread-protocol.ts';

/** What a query thread asks of another, over a channel of their own. `part` is a number of the asking thread. */
export type ToMember =
  | {
      readonly type: 'begin';
      readonly part: number;
      readonly request: PartRequest;
      readonly cancel: CancelFlag;
      readonly timeoutMs: number;
      /** Counts the batches that are done, for both to see: the asking thread may be too busy to take messages. */
      readonly done: Int32Array<SharedArrayBuffer>;
    }
  | { readonly type: 'batch'; readonly part: number; readonly batch: SeriesBatch }
  | { readonly type: 'end'; readonly part: number }
  | { readonly type: 'forget'; readonly part: number };

/** Answers come in the order of batches and their end. */
export type FromMember =
  | { readonly type: 'rows'; readonly part: number; readonly rows: readonly PlainRows[] }
  | { readonly type: 'result'; readonly part: number; readonly result: PartResult }
  | { readonly type: 'failure'; readonly part: number; readonly error: PlainError };

/** The memory below an object of typed arrays, or of such objects, to be moved. */
export function buffersBelow(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === 'object' && value !== null)
    for (const part of Object.values(value)) buffersBelow(part, found);
  return found;
}
