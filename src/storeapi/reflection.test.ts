import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Client, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { expect, test } from 'vitest';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { QueryableStore } from './queryable-store.ts';
import { loopback } from './testdata/loopback.ts';

const PROTO = 'proto/grpc/reflection/v1/reflection.proto';

interface Reflection extends Client {
  ServerReflectionInfo(): {
    write(request: object): void;
    end(): void;
    on(event: 'data', listener: (answer: ReflectionAnswer) => void): void;
    on(event: 'end' | 'error', listener: (error?: Error) => void): void;
  };
}

interface ReflectionAnswer {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
}

test('a client that knows nothing is told the services and their contracts', async () => {
  const info = { component: 'store', labelSets: [], mint: 0, maxt: 1 };
  const { port, close } = await loopback(new QueryableStore(new MemoryStorage(), () => info));
  const folder = dirname(createRequire(import.meta.url).resolve('@grpc/reflection'));
  const loaded = loadPackageDefinition(
    loadSync(join(folder, '..', PROTO), { keepCase: true }),
  ) as unknown as {
    grpc: {
      reflection: { v1: { ServerReflection: new (address: string, how: object) => Reflection } };
    };
  };
  const client = new loaded.grpc.reflection.v1.ServerReflection(
    `127.0.0.1:${port}`,
    credentials.createInsecure(),
  );
  const answers = await new Promise<ReflectionAnswer[]>((resolve, reject) => {
    const found: ReflectionAnswer[] = [];
    const call = client.ServerReflectionInfo();
    call.on('data', (answer) => found.push(answer));
    call.on('error', (error) => reject(error));
    call.on('end', () => resolve(found));
    call.write({ list_services: '' });
    call.write({ file_containing_symbol: 'thanos.Store' });
    call.end();
  });
  const names = answers[0].list_services_response?.service.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['thanos.Store', 'thanos.info.Info', 'thanos.Query']));
  const [file] = answers[1].file_descriptor_response?.file_descriptor_proto ?? [];
  expect(file?.toString('latin1')).toContain('LabelValues');
  client.close();
  await close();
});
