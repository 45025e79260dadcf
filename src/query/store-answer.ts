import { Labels } from '../model/labels.ts';
import type { Queryable } from '../storage/querier.ts';
import { serveLabelNames, serveLabelValues, serveSeries } from '../storeapi/queryable-store.ts';
import type { LabelsAnswer } from '../storeapi/store-server.ts';
import { readLabelsRequest, readSeriesRequest } from '../storeapi/wire-requests.ts';
import type { JobLimits, QueryJob } from './jobs.ts';
import type { ThreadAnswer } from './thread-protocol.ts';

type StoreJob = Extract<QueryJob, { kind: 'storeSeries' | 'storeLabelNames' | 'storeLabelValues' }>;

/** Reads of the StoreAPI: a stream of frames, or the JSON of a `LabelsAnswer`. */
export async function answerStore(
  job: StoreJob,
  queryable: Queryable,
  limits: JobLimits,
  signal: AbortSignal,
): Promise<ThreadAnswer> {
  const external = Labels.fromSorted(job.external);
  switch (job.kind) {
    case 'storeSeries': {
      const stream = serveSeries(queryable, external, readSeriesRequest(job.request), signal, limits.ofStore);
      return { status: 200, headers: {}, parts: [], stream };
    }
    case 'storeLabelNames':
      return json(await serveLabelNames(queryable, external, readLabelsRequest(job.request), signal));
    case 'storeLabelValues':
      return json(
        await serveLabelValues(queryable, external, job.name, readLabelsRequest(job.request), signal),
      );
  }
}

function json(answer: LabelsAnswer): ThreadAnswer {
  return { status: 200, headers: {}, parts: [new TextEncoder().encode(JSON.stringify(answer))] };
}
