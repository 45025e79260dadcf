import { type ErrorCode, messageOf, VeronaError } from '../model/errors.ts';
import { abortError, type BucketContext } from '../objstore/bucket.ts';
import type { Port, Thread } from '../platform/threads.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import { DiskShortage } from './disk-shortage.ts';
import type { CompactorJob } from './job.ts';
import type { JobRunner } from './job-runner.ts';
import type { JobProgress, JobReport } from './run-job.ts';

type ToThread = { readonly kind: 'run'; readonly job: CompactorJob } | { readonly kind: 'cancel' };

type FromThread =
  | { readonly kind: 'progress'; readonly progress: JobProgress }
  | { readonly kind: 'done'; readonly report: JobReport }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      /** The block whose fault it is. */
      readonly ulid?: string;
      /** Of a disk that was too full: whether the job had begun. */
      readonly hadBegun?: boolean;
    };

/**
 * Does each job on a thread of its own, which ends with it: what the job needed of memory is given back as a whole. A
 * thread that dies takes its job with it, and nothing else.
 */
export class ThreadRunner implements JobRunner {
  readonly #start: () => Thread;

  constructor(start: () => Thread) {
    this.#start = start;
  }

  async run(
    ctx: BucketContext,
    job: CompactorJob,
    onProgress: (progress: JobProgress) => void,
  ): Promise<JobReport> {
    const thread = this.#start();
    const cancel = () => thread.post({ kind: 'cancel' } satisfies ToThread);
    ctx.signal.addEventListener('abort', cancel, { once: true });
    try {
      return await new Promise<JobReport>((resolve, reject) => {
        if (ctx.signal.aborted) return reject(abortError(ctx.signal, `job ${job.id}`));
        thread.onExit((error) =>
          reject(new VeronaError('internal', `the thread of job ${job.id} ended: ${error?.message}`)),
        );
        thread.onMessage((data) => {
          const message = data as FromThread;
          if (message.kind === 'progress') onProgress(message.progress);
          else if (message.kind === 'done') resolve(message.report);
          else reject(errorOf(message));
        });
        thread.post({ kind: 'run', job } satisfies ToThread);
      });
    } finally {
      ctx.signal.removeEventListener('abort', cancel);
      await thread.stop();
    }
  }
}

function errorOf({ code, message, ulid, hadBegun }: Extract<FromThread, { kind: 'failed' }>): Error {
  if (ulid !== undefined) return BlockFault.of(ulid, message);
  if (hadBegun !== undefined) return DiskShortage.of(message, hadBegun);
  return new VeronaError(code, message);
}

/** Serves the one job of a thread that `ThreadRunner` started. */
export function serveJob(port: Port, runner: JobRunner): void {
  const stopping = new AbortController();
  port.onMessage((data) => {
    const message = data as ToThread;
    if (message.kind === 'cancel') stopping.abort();
    else void run(port, runner, message.job, stopping.signal);
  });
}

async function run(port: Port, runner: JobRunner, job: CompactorJob, signal: AbortSignal): Promise<void> {
  try {
    const onProgress = (progress: JobProgress) =>
      port.post({ kind: 'progress', progress } satisfies FromThread);
    port.post({ kind: 'done', report: await runner.run({ signal }, job, onProgress) } satisfies FromThread);
  } catch (error) {
    port.post(failureOf(error));
  }
}

function failureOf(error: unknown): FromThread {
  const message = messageOf(error);
  const code = error instanceof VeronaError ? error.code : 'internal';
  return {
    kind: 'failed',
    code,
    message,
    ...(error instanceof BlockFault && { ulid: error.ulid }),
    ...(error instanceof DiskShortage && { hadBegun: error.hasBegun }),
  };
}
