import { BatchDecoder } from '../chunkenc/batch-decoder.ts';
import { QueryKernel } from '../kernel/query-kernel.ts';
import { assertNever } from '../platform/assert.ts';
import type { Engine } from '../promql/engine.ts';
import type { Queryable } from '../storage/querier.ts';
import { answerEvaluation } from './evaluation-answer.ts';
import { answerExemplars } from './exemplar-answer.ts';
import { answerFederate } from './federate-answer.ts';
import type { QueryJob } from './jobs.ts';
import { answerLabels } from './label-answers.ts';
import { answerRemoteRead } from './remote-read-answer.ts';
import type { Answer } from './thread-protocol.ts';

/** Answers read requests over any source; one per thread. */
export class Answerer {
  readonly #engine: Engine;
  readonly #lookbackDeltaMs: number;
  readonly #kernel = new QueryKernel();

  constructor(engine: Engine, lookbackDeltaMs: number) {
    this.#engine = engine;
    this.#lookbackDeltaMs = lookbackDeltaMs;
  }

  async answer(job: QueryJob, queryable: Queryable, signal: AbortSignal): Promise<Answer> {
    switch (job.kind) {
      case 'instant':
      case 'range':
        return answerEvaluation(job, queryable, this.#engine, this.#kernel, signal);
      case 'labelNames':
      case 'labelValues':
      case 'series':
        return answerLabels(job, queryable, signal);
      case 'exemplars':
        return answerExemplars(job, queryable, this.#engine, signal);
      case 'federate':
        return answerFederate(job, queryable, this.#decoder(), this.#lookbackDeltaMs, signal);
      case 'remoteRead':
        return answerRemoteRead(job.body, queryable, this.#decoder(), signal);
      default:
        return assertNever(job);
    }
  }

  /** A decoder's kernel holds one batch, so requests that interleave have one each. */
  #decoder(): BatchDecoder {
    return new BatchDecoder(new QueryKernel());
  }
}
