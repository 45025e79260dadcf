import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { WireReader } from '../encoding/protobuf.ts';
import { Labels } from '../model/labels.ts';
import {
  readSeriesFrame,
  SeriesFrameWriter,
  type StoreAggrChunk,
  type StoreChunk,
  warningFrame,
} from './store-series.ts';

const includeDirs = [join(import.meta.dirname, 'thanos')];
const loaded = loadSync('store.proto', { includeDirs, keepCase: true, longs: Number, enums: Number });
const { responseDeserialize: deserialize, responseSerialize: serialize } = (
  loaded['thanos.Store'] as unknown as { Series: Codec }
).Series;

/** What a library made of `store.proto`. */
interface Codec {
  responseDeserialize(bytes: Buffer): { batch?: { series: WireSeries[] }; series: WireSeries };
  responseSerialize(message: object): Buffer;
}

interface WireSeries {
  readonly labels?: readonly { readonly name: string; readonly value: string }[];
  readonly chunks?: readonly {
    readonly min_time?: number;
    readonly max_time?: number;
    readonly raw?: { readonly data?: Buffer };
  }[];
}

const chunk: fc.Arbitrary<StoreChunk> = fc.record({
  type: fc.integer({ min: 0, max: 2 }),
  data: fc.uint8Array({ maxLength: 300 }),
});
const time = fc.integer({ min: -5_000_000_000_000, max: 5_000_000_000_000 });
const aggrChunk: fc.Arbitrary<StoreAggrChunk> = fc
  .tuple(
    time,
    time,
    fc.option(chunk, { nil: undefined }),
    fc.array(fc.option(chunk, { nil: undefined }), { minLength: 5, maxLength: 5 }),
  )
  .map(([a, b, raw, aggregates]) => ({ mint: Math.min(a, b), maxt: Math.max(a, b), raw, aggregates }));
const labels = fc
  .dictionary(fc.string({ minLength: 1, maxLength: 9 }), fc.string({ minLength: 1, maxLength: 200 }))
  .map(Labels.from);
const series = fc.array(fc.record({ labels, chunks: fc.array(aggrChunk, { maxLength: 4 }) }), {
  minLength: 1,
  maxLength: 5,
});

test('a frame reads back as it was written, and a generated reader sees the same', () => {
  const writer = new SeriesFrameWriter();
  fc.assert(
    fc.property(series, (written) => {
      for (const { labels: own, chunks } of written) writer.add(encodeLabels(own), chunks);
      const frame = writer.take();
      const read = readSeriesFrame(new WireReader(frame));
      expect(read.kind).toBe('series');
      if (read.kind !== 'series') return;
      expect(read.series.map(({ labelBytes, chunks }) => ({ labelBytes: [...labelBytes], chunks }))).toEqual(
        written.map((one) => ({ labelBytes: [...encodeLabels(one.labels)], chunks: one.chunks })),
      );
      const generated = deserialize(Buffer.from(frame));
      const list = generated.batch?.series ?? [generated.series];
      expect(list.map(plain)).toEqual(
        written.map(({ labels: own, chunks }) => ({
          labels: [...own].map(([name, value]) => `${name}=${value}`),
          chunks: chunks.map(({ mint, maxt, raw }) => `${mint} ${maxt} ${raw ? raw.data.length : '-'}`),
        })),
      );
    }),
    { numRuns: 200 },
  );
});

function plain({ labels: own = [], chunks = [] }: WireSeries) {
  return {
    labels: own.map(({ name, value }) => `${name}=${value}`),
    chunks: chunks.map(
      ({ min_time = 0, max_time = 0, raw }) =>
        `${min_time} ${max_time} ${raw ? (raw.data?.length ?? 0) : '-'}`,
    ),
  };
}

test('frames of a generated writer read the same, also with fields that we do not know', () => {
  const bytes: Buffer = serialize({
    series: {
      labels: [{ name: 'a', value: 'b' }],
      chunks: [{ min_time: 1, max_time: 2, raw: { type: 0, data: Buffer.from([1, 2]), hash: 7 } }],
    },
  });
  const read = readSeriesFrame(new WireReader(bytes));
  expect(read.kind === 'series' && read.series[0].chunks[0].raw?.data).toEqual(Buffer.from([1, 2]));
});

test('chunks out of columns are written as the same chunks are one by one', () => {
  const [listed, raw] = [new SeriesFrameWriter(), new SeriesFrameWriter()];
  const part = fc.record({ a: time, b: time, type: fc.nat(2), data: fc.uint8Array({ maxLength: 300 }) });
  fc.assert(
    fc.property(labels, fc.array(part, { maxLength: 5 }), fc.nat(5), (own, parts, skipped) => {
      const from = Math.min(skipped, parts.length);
      const chunks = parts.map(({ a, b, type, data }) => ({
        mint: Math.min(a, b),
        maxt: Math.max(a, b),
        raw: { type, data },
        aggregates: [],
      }));
      const lengths = parts.map(({ data }) => data.length);
      const columns = {
        chunkMint: Float64Array.from(chunks, ({ mint }) => mint),
        chunkMaxt: Float64Array.from(chunks, ({ maxt }) => maxt),
        chunkEncoding: Uint8Array.from(parts, ({ type }) => type + 1),
        chunkDataLength: Uint32Array.from(lengths),
        chunkDataOffset: Uint32Array.from(lengths, (_, i) => lengths.slice(0, i).reduce((x, y) => x + y, 0)),
        chunkData: Buffer.concat(parts.map(({ data }) => data)),
      };
      listed.add(encodeLabels(own), chunks.slice(from));
      raw.addRaw(encodeLabels(own), columns, from, parts.length);
      expect([...raw.take()]).toEqual([...listed.take()]);
    }),
  );
});

test('a warning is a frame of its own', () => {
  expect(readSeriesFrame(new WireReader(warningFrame('läuft nicht')))).toEqual({
    kind: 'warning',
    warning: 'läuft nicht',
  });
});

test('mutated frames decode or fail with bad_data', () => {
  const writer = new SeriesFrameWriter();
  fc.assert(
    fc.property(series, fc.array(fc.tuple(fc.nat(), fc.nat(255))), (written, changes) => {
      for (const { labels: own, chunks } of written) writer.add(encodeLabels(own), chunks);
      const frame = writer.take();
      for (const [at, byte] of changes) frame[at % frame.length] = byte;
      try {
        readSeriesFrame(new WireReader(frame));
      } catch (error) {
        expect((error as { code?: string }).code).toBe('bad_data');
      }
    }),
    { numRuns: 500 },
  );
});
