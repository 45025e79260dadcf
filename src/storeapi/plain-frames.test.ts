import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { WireReader } from '../encoding/protobuf.ts';
import { Labels } from '../model/labels.ts';
import { readSeriesFrame, SeriesFrameWriter } from '../proto/store-series.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { frameBatches } from './frame-batches.ts';
import { PlainFrames } from './plain-frames.ts';

interface Chunk {
  readonly mint: number;
  readonly maxt: number;
  readonly type: number;
  readonly data: Uint8Array;
}

interface Series {
  readonly labelBytes: Uint8Array;
  readonly chunks: readonly Chunk[];
}

const T0 = 1_700_000_000_000;

/** Chunks one after the other, of so many bytes each. */
const chunksOf = (sizeMin: number, sizeMax: number) =>
  fc
    .array(
      fc.record({
        gap: fc.integer({ min: 1, max: 5000 }),
        span: fc.nat(2000),
        type: fc.nat(2),
        data: fc.uint8Array({ minLength: sizeMin, maxLength: sizeMax }),
      }),
      { maxLength: 6 },
    )
    .map((parts) => {
      let mint = T0;
      return parts.map(({ gap, span, type, data }): Chunk => {
        mint += gap;
        return { mint, maxt: mint + span, type, data };
      });
    });

const answer = (sizeMin: number, sizeMax: number) =>
  fc.array(chunksOf(sizeMin, sizeMax), { minLength: 1, maxLength: 8 }).map((all) =>
    all.map((chunks, i): Series => {
      const labels = Labels.from({ __name__: 'x', i: String(i).padStart(2, '0'), job: 'ä' });
      return { labelBytes: encodeLabels(labels), chunks };
    }),
  );

function frameOf(all: readonly Series[]): Uint8Array {
  const writer = new SeriesFrameWriter();
  for (const { labelBytes, chunks } of all)
    writer.add(
      labelBytes,
      chunks.map(({ mint, maxt, type, data }) => ({ mint, maxt, raw: { type, data }, aggregates: [] })),
    );
  return writer.take();
}

function shown(all: readonly Series[]): string[] {
  return all.map(({ labelBytes, chunks }) => {
    const texts = chunks.map(
      ({ mint, maxt, type, data }) => `${mint} ${maxt} ${type} ${Buffer.from(data).toString('hex')}`,
    );
    return `${Buffer.from(labelBytes).toString('hex')}: ${texts.join()}`;
  });
}

function seriesOf(batch: SeriesBatch): Series[] {
  return Array.from({ length: batch.seriesCount }, (_, i) => ({
    labelBytes: batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]),
    chunks: Array.from({ length: batch.chunkStarts[i + 1] - batch.chunkStarts[i] }, (_, k): Chunk => {
      const c = batch.chunkStarts[i] + k;
      const at = batch.chunkDataOffset[c];
      const data = batch.chunkData.subarray(at, at + batch.chunkDataLength[c]);
      return { mint: batch.chunkMint[c], maxt: batch.chunkMaxt[c], type: batch.chunkEncoding[c] - 1, data };
    }),
  }));
}

/** As the reader of fields has it. */
function readSlowly(frame: Uint8Array): Series[] | undefined {
  try {
    const read = readSeriesFrame(new WireReader(frame));
    if (read.kind !== 'series') return undefined;
    return read.series.map(({ labelBytes, chunks }) => ({
      labelBytes,
      chunks: chunks.map(({ mint, maxt, raw }) => ({ mint, maxt, type: raw!.type, data: raw!.data })),
    }));
  } catch {
    return undefined;
  }
}

test('plain frames are read as by the reader of fields', () => {
  const frames = new PlainFrames(0);
  fc.assert(
    fc.property(answer(0, 200), (all) => {
      const batch = frames.read(frameOf(all));
      expect(batch && shown(seriesOf(batch))).toEqual(shown(all));
    }),
  );
});

test('what is read of damaged frames is what the reader of fields has, or nothing', () => {
  const frames = new PlainFrames(0);
  fc.assert(
    fc.property(
      answer(0, 40),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      fc.nat(30),
      (all, changes, cut) => {
        const frame = frameOf(all).slice();
        for (const [at, value] of changes) frame[at % frame.length] = value;
        const damaged = frame.subarray(0, Math.max(1, frame.length - cut));
        const batch = frames.read(damaged);
        if (batch) expect(shown(seriesOf(batch))).toEqual(shown(readSlowly(damaged) ?? []));
      },
    ),
    { numRuns: 5000 },
  );
});

test('an answer is the same however it is cut into frames', async () => {
  await fc.assert(
    fc.asyncProperty(
      answer(6000, 8000),
      fc.array(fc.boolean(), { minLength: 64, maxLength: 64 }),
      async (all, cuts) => {
        let cut = 0;
        const frames: Uint8Array[] = [];
        let current: Series[] = [];
        for (const { labelBytes, chunks } of all) {
          current.push({ labelBytes, chunks: [] });
          for (const chunk of chunks) {
            if (cuts[cut++]) {
              frames.push(frameOf(current));
              current = [{ labelBytes, chunks: [] }];
            }
            const last = current.pop()!;
            current.push({ labelBytes, chunks: [...last.chunks, chunk] });
          }
        }
        frames.push(frameOf(current));
        const found: string[] = [];
        const options = { endpoint: 'e', warn() {}, seriesMax: 100, bytesMax: 1e9 };
        for await (const batch of frameBatches(stream(frames), options))
          found.push(...shown(seriesOf(batch)));
        expect(found).toEqual(shown(all));
      },
    ),
    { numRuns: 60 },
  );
});

test('large frames out of order are an error, and so are too many series', async () => {
  const part = (i: number): Series => {
    const labelBytes = encodeLabels(Labels.from({ __name__: 'x', i: `${i}` }));
    return { labelBytes, chunks: [{ mint: T0, maxt: T0, type: 0, data: new Uint8Array(40_000) }] };
  };
  const read = async (order: readonly number[], seriesMax = 10) => {
    const options = { endpoint: 'e', warn() {}, seriesMax, bytesMax: 1e9 };
    let count = 0;
    for await (const batch of frameBatches(stream(order.map((i) => frameOf([part(i)]))), options))
      count += batch.seriesCount;
    return count;
  };
  expect(await read([1, 2, 3])).toBe(3);
  await expect(read([1, 3, 2])).rejects.toThrow('e: series do not come in the order of their labels');
  await expect(read([1, 2, 3], 2)).rejects.toThrow('e: an answer has more than 2 series');
});

async function* stream(frames: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* frames;
}
