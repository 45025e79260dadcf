import { BatchDecoder } from '../chunkenc/batch-decoder.ts';
import { QueryKernel } from '../kernel/query-kernel.ts';
import { assertNever } from '../platform/assert.ts';
import { Engine } from '../promql/engine.ts';
import { KernelPool } from '../promql/exec/kernel-pool.ts';
import type { EngineOptions } from '../promql/query-options.ts';
import { completeQueryable } from '../storage/complete-querier.ts';
import type { Queryable } from '../storage/querier.ts';
import { answerCardinality } from './cardinality-answer.ts';
import { answerEvaluation, type QueryHelpers } from './evaluation-answer.ts';
import { answerExemplars, answerStoreExemplars } from './exemplar-answer.ts';
import { answerExplain } from './explain-answer.ts';
import { answerFederate } from './federate-answer.ts';
import type { JobLimits, QueryJob } from './jobs.ts';
import { answerLabels } from './label-answers.ts';
import { answerRemoteRead } from './remote-read-answer.ts';
import { answerStore } from './store-answer.ts';
import { answerStoreQuery } from './store-query-answer.ts';
import type { ThreadAnswer } from './thread-protocol.ts';

const LIMITED_MAX = 64;

/** Of answers that have no place for warnings, unless the request takes what there is. */
function withoutSilence({ read }: QueryJob, queryable: Queryable): Queryable {
  return read?.partialResponse === true ? queryable : completeQueryable(queryable);
}

/** Answers read requests over any source; one per thread. */
export class Answerer {
  readonly #options: EngineOptions;
  readonly #engine: Engine;
  readonly #limited = new Map<number, Engine>();
  readonly #lookbackDeltaMs: number;
  readonly #kernel = new QueryKernel();

  constructor(options: EngineOptions, lookbackDeltaMs: number) {
    this.#options = { ...options, kernels: options.kernels ?? new KernelPool() };
    this.#engine = new Engine({ ...this.#options, lookbackDeltaMs });
    this.#lookbackDeltaMs = lookbackDeltaMs;
  }

  /** `waitedMs`: how long the request waited for its turn. */
  async answer(
    job: QueryJob,
    limits: JobLimits,
    queryable: Queryable,
    signal: AbortSignal,
    waitedMs = 0,
    helpers: QueryHelpers = {},
  ): Promise<ThreadAnswer> {
    const { team, remote } = helpers;
    switch (job.kind) {
      case 'instant':
      case 'range':
        return answerEvaluation(job, queryable, this.#engineFor(limits), this.#kernel, signal, {
          waitedMs,
          ...helpers,
          perStep: this.#options.features?.['promql-per-step-stats'] === true,
        });
      case 'explain':
        return answerExplain(job, this.#engine, { remote, team });
      case 'labelNames':
      case 'labelValues':
      case 'series':
        return answerLabels(job, queryable, signal);
      case 'cardinality':
        return answerCardinality(job, queryable, signal);
      case 'exemplars':
        return answerExemplars(job, queryable, this.#engine, signal);
      case 'storeQuery':
        return answerStoreQuery(job, queryable, this.#engineFor(limits), remote, signal);
      case 'storeExemplars':
        return answerStoreExemplars(job, queryable, this.#engine, signal);
      case 'federate':
        return answerFederate(
          job,
          withoutSilence(job, queryable),
          this.#decoder(),
          this.#lookbackDeltaMs,
          signal,
        );
      case 'remoteRead':
        return answerRemoteRead(job.body, withoutSilence(job, queryable), this.#decoder(), signal);
      case 'storeSeries':
      case 'storeLabelNames':
      case 'storeLabelValues':
        return answerStore(job, queryable, limits, signal);
      default:
        return assertNever(job);
    }
  }

  /** One engine per limit: tenants share the few there are. */
  #engineFor({ samplesMax }: JobLimits): Engine {
    if (samplesMax === 0) return this.#engine;
    let engine = this.#limited.get(samplesMax);
    if (engine === undefined) {
      if (this.#limited.size >= LIMITED_MAX) this.#limited.clear();
      engine = new Engine({
        ...this.#options,
        lookbackDeltaMs: this.#lookbackDeltaMs,
        maxSamples: samplesMax,
      });
      this.#limited.set(samplesMax, engine);
    }
    return engine;
  }

  /** A decoder's kernel holds one batch, so requests that interleave have one each. */
  #decoder(): BatchDecoder {
    return new BatchDecoder(new QueryKernel());
  }
}
