import type { Gathered } from '../storeapi/gather.ts';
import type { ReadOptions } from './jobs.ts';

/** Asks this process and its endpoints for rules, targets, metadata or what heads hold, as far as the tenant may see them. */
export interface ServiceReader {
  ask<T extends { readonly warning?: string }>(
    question: {
      readonly service: 'rules' | 'targets' | 'metadata' | 'status';
      readonly method: string;
      readonly tenant: string;
      readonly request: object;
      readonly read: ReadOptions;
    },
    signal: AbortSignal,
  ): Promise<Gathered<T>>;
  /** Labels that a request wants to be taken off, so that replicas are one. */
  replicaLabels(read: ReadOptions): ReadonlySet<string>;
}
