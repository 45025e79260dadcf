import { selectorText } from '../model/selector-text.ts';
import type { QueryJob } from './jobs.ts';

/** A query that has got a thread. */
export interface BegunQuery {
  /** Unique in this process. */
  readonly id: number;
  readonly tenant: string;
  readonly job: QueryJob;
  /** How long it waited for its turn, ms. */
  readonly waitedMs: number;
}

/** What it took, as far as its thread told. */
export interface QueryFigures {
  readonly samplesRead: number;
  readonly peakSamples: number;
  readonly planMs: number;
  readonly evaluationMs: number;
}

export interface EndedQuery extends BegunQuery {
  /** Since it got its thread, ms. */
  readonly tookMs: number;
  /** `ok`, or the code of its error. */
  readonly outcome: string;
  readonly error: string | undefined;
  readonly figures: QueryFigures | undefined;
  readonly answerBytes: number;
}

/** Is told of every query that runs. Neither call may throw or take long: they are made on the ingest thread. */
export interface QueryObserver {
  began(query: BegunQuery): void;
  ended(query: EndedQuery): void;
}

export function observeAll(observers: readonly QueryObserver[]): QueryObserver {
  return {
    began: (query) => {
      for (const observer of observers) observer.began(query);
    },
    ended: (query) => {
      for (const observer of observers) observer.ended(query);
    },
  };
}

/** The text of a query that a person would recognise it by. */
export function queryText(job: QueryJob): string {
  switch (job.kind) {
    case 'instant':
    case 'range':
    case 'explain':
    case 'exemplars':
    case 'storeQuery':
    case 'storeExemplars':
      return job.query;
    case 'labelNames':
    case 'labelValues':
    case 'series':
    case 'federate':
      return job.matcherSets.map(selectorText).join(' or ');
    case 'cardinality':
      return selectorText(job.matchers);
    default:
      return '';
  }
}

/** The times of a query, as RFC 3339 where it has any. */
export function queryTimes(job: QueryJob): { start?: string; end?: string; step?: number } {
  if (job.kind === 'storeQuery') return stepTimes(job.times);
  if (job.kind === 'instant' || job.kind === 'range') return stepTimes(job);
  return 'startMs' in job ? { start: timeText(job.startMs), end: timeText(job.endMs) } : {};
}

type Steps = Extract<QueryJob, { kind: 'storeQuery' }>['times'];

function stepTimes(times: Steps): { start: string; end: string; step: number } {
  if ('timeMs' in times) return { start: timeText(times.timeMs), end: timeText(times.timeMs), step: 0 };
  return { start: timeText(times.startMs), end: timeText(times.endMs), step: times.stepMs / 1000 };
}

export function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
