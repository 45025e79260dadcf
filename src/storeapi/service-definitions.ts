import { join } from 'node:path';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';

const FOLDER = join(import.meta.dirname, '../proto/thanos');
const FILES = ['store', 'info', 'rules', 'targets', 'metadata', 'exemplars', 'status', 'query'];

/**
 * Every service of `proto/thanos`. Cold messages are plain objects with the names of the .proto files (int64 as numbers,
 * enums as numbers, absent messages null); what `Series` answers travels as the bytes of a SeriesResponse and is written
 * and read by `proto/store-series.ts`, what `Query` and `QueryRange` answer by `proto/query-response.ts`.
 */
export function loadServices(): Services {
  const definitions = loadSync(
    FILES.map((name) => `${name}.proto`),
    {
      includeDirs: [FOLDER],
      keepCase: true,
      longs: Number,
      enums: Number,
      bytes: Buffer,
      defaults: true,
      arrays: true,
      oneofs: true,
    },
  );
  const store = service(definitions, 'thanos.Store');
  const query = service(definitions, 'thanos.Query');
  return {
    definitions,
    store: { ...store, Series: asBytes(store.Series) },
    info: service(definitions, 'thanos.info.Info'),
    rules: service(definitions, 'thanos.Rules'),
    targets: service(definitions, 'thanos.Targets'),
    metadata: service(definitions, 'thanos.Metadata'),
    exemplars: service(definitions, 'thanos.Exemplars'),
    status: service(definitions, 'thanos.Status'),
    query: { Query: asBytes(query.Query), QueryRange: asBytes(query.QueryRange) },
  };
}

/** Services beside Store and Info. */
export type FurtherService = 'rules' | 'targets' | 'metadata' | 'exemplars' | 'status' | 'query';

/** Where InfoResponse says that an endpoint offers a service. */
export const INFO_FIELDS = {
  rules: 'rules',
  targets: 'targets',
  metadata: 'metric_metadata',
  exemplars: 'exemplars',
  status: 'status',
  query: 'query',
} as const satisfies Record<FurtherService, string>;

export interface Services {
  /** For reflection. */
  readonly definitions: PackageDefinition;
  readonly store: ServiceDefinition;
  readonly info: ServiceDefinition;
  readonly rules: ServiceDefinition;
  readonly targets: ServiceDefinition;
  readonly metadata: ServiceDefinition;
  readonly exemplars: ServiceDefinition;
  readonly status: ServiceDefinition;
  readonly query: ServiceDefinition;
}

function service(definitions: PackageDefinition, name: string): ServiceDefinition {
  return definitions[name] as unknown as ServiceDefinition;
}

function asBytes(method: MethodDefinition<unknown, unknown>): MethodDefinition<unknown, unknown> {
  return {
    ...method,
    responseSerialize: (frame) => {
      const bytes = frame as Uint8Array;
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    responseDeserialize: (bytes) => bytes,
  };
}
