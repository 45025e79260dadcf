import { describe, expect, test } from 'vitest';
import { decodeXor } from '../chunkenc/xor.ts';
import { crc32c } from '../encoding/crc32c.ts';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { WireWriter } from '../encoding/protobuf.ts';
import { snappyCompress } from '../encoding/snappy.ts';
import { compareLabels, Labels } from '../model/labels.ts';
import { STALE_NAN } from '../model/sample.ts';
import { type HeadMemory, type HeadMemoryOptions, IngestEvent, SampleOutcome } from './head-memory.ts';
import { PlainHeadMemory } from './plain-head-memory.ts';
import { WasmHeadMemory } from './wasm-head-memory.ts';

const up = encodeLabels(Labels.from({ __name__: 'up', job: 'node' }));
const RANGE = 7_200_000;
const START = 100 * RANGE;

describe.each([
  ['PlainHeadMemory', (options?: HeadMemoryOptions): HeadMemory => new PlainHeadMemory(options)],
  ['WasmHeadMemory', (options?: HeadMemoryOptions): HeadMemory => new WasmHeadMemory(options)],
])('%s', (_, open) => {
  test('chunks end at multiples of the range, four in it as in Prometheus', () => {
    const memory = open();
    memory.setChunkFilePosition(3, 8);
    const slot = memory.create(up, 7);
    for (let i = 0; i < 1000; i++) expect(memory.append(slot, START + i * 15_000, i)).toBe(SampleOutcome.ok);
    const chunks = readClosed(memory.takeClosedChunks());
    expect(chunks.map(({ timestamps }) => timestamps.length)).toEqual([82, 160, 160, 78, 82, 160, 160, 78]);
    expect(chunks.every(({ walRef }) => walRef === 7)).toBe(true);
    expect(chunks[4].timestamps[0]).toBe(START + RANGE);
  });

  test('series that are written together close their chunks at different times, but for the end of the range', () => {
    const memory = open();
    const slots = Array.from({ length: 64 }, (_, i) =>
      memory.create(encodeLabels(Labels.from({ __name__: 'up', i: String(i) })), i + 1),
    );
    let most = 0;
    for (let i = 0; i < 480; i++) {
      for (const slot of slots) memory.append(slot, START + i * 15_000, i);
      most = Math.max(most, readClosed(memory.takeClosedChunks()).length);
    }
    expect(most).toBeLessThanOrEqual(2);
    for (const slot of slots) memory.append(slot, START + RANGE, 0);
    expect(readClosed(memory.takeClosedChunks())).toHaveLength(64);
  });

  test('where a range has one or two chunks they are as long as in Prometheus', () => {
    const memory = open();
    const slot = memory.create(up, 7);
    for (let i = 0; i < 600; i++) memory.append(slot, START + i * 30_000, i);
    expect(readClosed(memory.takeClosedChunks()).map(({ timestamps }) => timestamps.length)).toEqual([
      120, 120, 120, 120,
    ]);
  });

  test('a rate that rises after the end was planned cuts at 240 samples, then plans anew', () => {
    const memory = open();
    const slot = memory.create(up, 1);
    let t = START;
    for (let i = 0; i < 600; i++) memory.append(slot, (t += i < 30 ? 60_000 : 10), i);
    expect(readClosed(memory.takeClosedChunks()).map(({ timestamps }) => timestamps.length)).toEqual([
      240, 117, 117, 117,
    ]);
  });

  test('the staleness marker is logged with its bits', () => {
    const memory = open();
    const slot = memory.create(up, 1);
    memory.append(slot, START, 1);
    memory.append(slot, START + 1, STALE_NAN);
    expect(Buffer.from(memory.takeSamplesRecord()).toString('hex')).toMatch(/7ff0000000000002$/);
  });

  test('a window of bits that became too wide is told anew', () => {
    const memory = open();
    const slot = memory.create(up, 1);
    // One value of 52 bits, then ones that differ in few.
    const values = Array.from({ length: 100 }, (_, i) => (i === 1 ? 0.1 : 64 + (i % 8)));
    for (const [i, v] of values.entries()) memory.append(slot, START + i * 15_000, v);
    memory.closeOpenChunk(slot);
    const bytes = memory.takeClosedChunks();
    const [{ values: read }] = readClosed(bytes);
    expect([...read]).toEqual(values);
    // With the first window each of the last 97 takes some 50 bits.
    expect(bytes.length).toBeLessThan(200);
  });

  test('what is gathered decodes to what was appended, special values bit for bit', () => {
    const memory = open();
    const slot = memory.create(up, 1);
    const stale = new Float64Array(BigUint64Array.of(0x7ff0000000000002n).buffer)[0];
    const values = [
      1,
      -0,
      0,
      Infinity,
      -Infinity,
      stale,
      Number.NaN,
      5e-324,
      Number.MAX_VALUE,
      1.5,
      1.5,
      1e300,
      3,
    ];
    const times = values.map((_, i) => START + i * i * i * 1000 + (i % 3));
    values.forEach((v, i) => void memory.append(slot, times[i], v));
    const { chunkData, chunkDataLength, chunkMint, chunkMaxt, chunkRef } = memory.gather(
      Uint32Array.of(slot),
      0,
      Infinity,
    );
    const decoded = decodeXor(chunkData, 0, chunkDataLength[0]);
    expect([...decoded.timestamps]).toEqual(times);
    expect(bitsOf(decoded.values)).toEqual(bitsOf(Float64Array.from(values)));
    expect([chunkMint[0], chunkMaxt[0], chunkRef[0]]).toEqual([times[0], times[12], -1]);
  });

  test('the samples record is Prometheus’, and replaying it gives the same chunk', () => {
    const memory = open();
    const slot = memory.create(up, 5);
    memory.append(slot, 1000, 1);
    memory.append(slot, 1015, 2);
    const record = memory.takeSamplesRecord().slice();
    expect(Buffer.from(record).toString('hex')).toBe(
      '02' +
        '0000000000000005' +
        '00000000000003e8' +
        '0000' +
        '3ff0000000000000' +
        '001e' +
        '4000000000000000',
    );
    expect(memory.takeSamplesRecord().length).toBe(0);
    const other = open();
    const replayed = other.create(up, 5);
    other.mapWalRef(5, replayed);
    expect(other.replaySamples(record)).toEqual({ samples: 2, unknownRefs: 0, rare: 0, skipped: 0 });
    expect(other.replaySamples(record)).toEqual({ samples: 0, unknownRefs: 0, rare: 0, skipped: 2 });
    const chunk = (from: HeadMemory, of: number) => from.gather(Uint32Array.of(of), 0, 9999).chunkData;
    expect(chunk(other, replayed)).toEqual(chunk(memory, slot));
    expect(other.takeSamplesRecord().length).toBe(0);
  });

  test('refs of the log mean their series, however far apart they are', () => {
    const refs = [1, 2, 1023, 1024, 1025, 2 ** 32, 2 ** 32 + 1, 2 ** 52];
    for (let i = 1; i <= 4000; i++) refs.push(i * 1_000_003);
    const writer = open();
    const reader = open();
    for (const [i, ref] of refs.entries()) {
      const bytes = encodeLabels(Labels.from({ series: `${i}` }));
      writer.append(writer.create(bytes, ref), 1000, i);
      reader.mapWalRef(ref, reader.create(bytes, i + 1));
    }
    const record = writer.takeSamplesRecord().slice();
    const counts = { samples: refs.length, unknownRefs: 0, rare: 0, skipped: 0 };
    expect(reader.replaySamples(record)).toEqual(counts);
    expect(reader.replaySamples(record)).toEqual({ ...counts, samples: 0, skipped: refs.length });
    reader.endReplay();
    expect(reader.replaySamples(record)).toEqual({ ...counts, samples: 0, unknownRefs: refs.length });
  });

  test('samples out of bounds, out of order, repeated and of a rare series are told apart', () => {
    const memory = open();
    const slot = memory.create(up, 1);
    memory.setBounds(100, 200);
    const outcomes = [
      [99, 1, SampleOutcome.outOfBounds],
      [201, 1, SampleOutcome.tooFarInFuture],
      [150, 1, SampleOutcome.ok],
      [150, 1, SampleOutcome.duplicate],
      [150, 2, SampleOutcome.duplicateValue],
      [149, 1, SampleOutcome.outOfOrder],
    ] as const;
    for (const [t, v, outcome] of outcomes) expect(memory.append(slot, t, v)).toBe(outcome);
    memory.setRare(slot, true);
    expect(memory.append(slot, 160, 1)).toBe(SampleOutcome.rare);
    expect(memory.lastTimeOf(slot)).toBe(150);
  });

  test('slots sort as their label sets', () => {
    const memory = open();
    const sets = Array.from({ length: 300 }, (_, i) =>
      Labels.from({
        a: 'x'.repeat(i % 7),
        b: String((i * 7919) % 300),
        ...(i % 3 ? { c: '\u{1f600}' } : { c: '\uffff' }),
      }),
    );
    const slots = Uint32Array.from(sets, (labels, i) => memory.create(encodeLabels(labels), i + 1));
    memory.sortByLabels(slots);
    const expected = sets
      .map((labels, i) => ({ labels, slot: i + 1 }))
      .sort((a, b) => compareLabels(a.labels, b.labels));
    expect([...slots]).toEqual(expected.map(({ slot }) => slot));
  });

  test('a request appends to known series and reports new ones', () => {
    const memory = open();
    const body = snappyCompress(requestOf([up, 1000, 1], [up, 2000, 2]));
    memory.beginWrite(body, 1000);
    expect(memory.resume()).toBe(IngestEvent.newSeries);
    expect(memory.event.labelsCanonical).toBe(true);
    memory.adopt(memory.create(memory.event.labels, 1));
    expect(memory.resume()).toBe(IngestEvent.done);
    expect(memory.writeSamples).toBe(2);
    expect(memory.timeRange()).toEqual({ mint: 1000, maxt: 2000 });
    memory.beginWrite(body, 1000);
    expect([memory.resume(), memory.event.outcome]).toEqual([
      IngestEvent.refusedSample,
      SampleOutcome.outOfOrder,
    ]);
    expect(memory.resume()).toBe(IngestEvent.done);
    expect([memory.writeSamples, memory.writeDuplicates]).toEqual([1, 1]);
  });

  test.each([
    ['a TimeSeries of 2³²-1 bytes', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], 0, 'field cut off'],
    [
      'a TimeSeries of 2⁶³ bytes',
      [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
      0,
      'field cut off',
    ],
    ['a label of 2³²-8 bytes', [0x0a, 6, 0x0a, 0xf8, 0xff, 0xff, 0xff, 0x0f], 2, 'field cut off'],
    ['a sample of 2³²-1 bytes', [0x0a, 8, 0x0a, 0, 0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], 4, 'field cut off'],
    [
      'a label name of 2³²-1 bytes',
      [0x0a, 10, 0x0a, 6, 0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x12, 0],
      2,
      'field cut off',
    ],
    [
      'a varint of eleven bytes',
      [0x0a, 13, 0x98, ...Array<number>(10).fill(0x80), 0x01, 0],
      2,
      'varint too long',
    ],
    ['field number 0', [0x02, 0], 0, 'bad field tag'],
    ['a group', [0x0b], 0, 'unsupported wire type'],
    ['a TimeSeries that is a number', [0x08, 1], 0, 'unexpected wire type'],
  ])('%s is malformed at its place', (_name, bytes, offset, reason) => {
    const memory = open();
    memory.beginWrite(snappyCompress(Uint8Array.from(bytes)), 1000);
    expect(memory.resume()).toBe(IngestEvent.malformed);
    expect([memory.event.offset, memory.event.reason]).toEqual([offset, reason]);
    expect(memory.resume()).toBe(IngestEvent.done);
  });

  test('a request is refused before it is decoded when it would be too large', () => {
    const memory = open();
    const body = snappyCompress(new Uint8Array(5000));
    expect(() => memory.beginWrite(body, 4999)).toThrow('snappy: decodes to 5000 bytes, 4999 allowed');
  });

  test('a freed slot and its labels are used again', () => {
    const memory = open();
    const labels = (i: number) => encodeLabels(Labels.from({ churn: String(i).padStart(200, '0') }));
    for (let i = 0; i < 500; i++) memory.create(labels(i), i + 1);
    const before = memory.memoryUse().total;
    for (let i = 500; i < 20_000; i++) {
      memory.collect(memory.find(labels(i - 500)));
      memory.reuseCollected();
      memory.create(labels(i), i + 1);
    }
    expect([memory.seriesCount, memory.find(labels(0)), memory.find(labels(19_500)) > 0]).toEqual([
      500,
      0,
      true,
    ]);
    expect(memory.memoryUse().total).toBeLessThanOrEqual(before);
    expect(memory.truncate(0).length).toBe(500);
  });

  test('label sets beyond the limit are refused', () => {
    expect(() => open().create(new Uint8Array(65_001), 1)).toThrow('label set of 65001 bytes, 65000 allowed');
  });
});

test('a memory that is full refuses, keeps what it has, and goes on when something is freed', () => {
  const memory = new WasmHeadMemory({ memoryMax: 2 ** 20 });
  const labels = (i: number) => encodeLabels(Labels.from({ filler: String(i).padStart(500, '0') }));
  memory.create(labels(0), 1);
  memory.append(1, 0, 1);
  let count = 1;
  const fill = () => {
    for (;;) memory.create(labels(count), ++count);
  };
  expect(fill).toThrow('kernel memory is full');
  count--;
  expect(memory.memoryUse().total).toBeLessThanOrEqual(2 ** 20);
  expect(memory.seriesCount).toBe(count);
  expect(() => memory.beginWrite(snappyCompress(new Uint8Array(500_000)), 1e6)).toThrow(
    'kernel memory is full',
  );
  let last = 0;
  const append = () => {
    for (let t = 1000; ; t += 1000) {
      memory.append(1, t, Math.sin(t));
      last = t;
    }
  };
  expect(append).toThrow('kernel memory is full');
  expect(memory.lastTimeOf(1)).toBe(last);
  for (let i = 0; i < count; i++) expect(memory.find(labels(i))).toBe(i + 1);
  memory.takeSamplesRecord();
  memory.takeClosedChunks();
  expect(memory.append(1, last + 1000, 1)).toBe(SampleOutcome.ok);
  memory.collect(count);
  memory.reuseCollected();
  expect(memory.create(labels(count + 1), count + 1)).toBe(count);
});

test('few references to long symbols cannot make the kernel write without end', () => {
  const writer = new WireWriter();
  for (const symbol of ['', 'name', 'x'.repeat(60_000)]) writer.string(4, symbol);
  for (let i = 0; i < 5000; i++) writer.message(5, () => writer.packedUints(1, [1, 2]));
  for (const memory of [new WasmHeadMemory(), new PlainHeadMemory()]) {
    memory.beginWriteV2(snappyCompress(writer.bytes()), 1e6);
    expect([memory.resume(), memory.event.reason]).toEqual([
      IngestEvent.malformed,
      'labels of the request too long',
    ]);
  }
});

test('a small head takes less than a MiB', () => {
  const memory = new WasmHeadMemory();
  memory.beginWrite(snappyCompress(requestOf([up, 1000, 1])), 1000);
  memory.resume();
  memory.adopt(memory.create(memory.event.labels, 1));
  memory.resume();
  memory.takeSamplesRecord();
  expect(memory.memoryUse().total).toBeLessThanOrEqual(2 ** 20);
});

function requestOf(...samples: [Uint8Array, number, number][]): Uint8Array {
  const writer = new WireWriter();
  for (const [labels, t, v] of samples)
    writer.message(1, () => {
      writer.raw(labels);
      writer.message(2, () => {
        writer.double(1, v);
        writer.int(2, t);
      });
    });
  return writer.bytes();
}

/** Reads chunks_head/ bytes without the code that wrote them. */
function readClosed(bytes: Uint8Array): { walRef: number; timestamps: Float64Array; values: Float64Array }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const chunks = [];
  for (let at = 0; at < bytes.length; ) {
    let length = bytes[at + 25] & 127;
    let data = at + 26;
    if (bytes[at + 25] >= 128) length += bytes[data++] * 128;
    const samples = decodeXor(bytes, data, length);
    expect(bytes[at + 24]).toBe(1);
    expect(view.getUint32(data + length)).toBe(crc32c(bytes, at, data + length));
    expect(Number(view.getBigInt64(at + 8))).toBe(samples.timestamps[0]);
    expect(Number(view.getBigInt64(at + 16))).toBe(samples.timestamps[samples.timestamps.length - 1]);
    chunks.push({ walRef: Number(view.getBigUint64(at)), ...samples });
    at = data + length + 4;
  }
  return chunks;
}

function bitsOf(values: Float64Array): string[] {
  return [...new BigUint64Array(values.slice().buffer)].map((bits) => bits.toString(16));
}
