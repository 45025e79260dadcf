import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Matcher } from '../model/matcher.ts';
import {
  encodeFrame,
  encodeReadRequest,
  encodeReadResponse,
  readFrames,
  readReadRequest,
  readReadResponse,
} from './remote-read.ts';
import { time, timeSeries } from './testdata/messages.ts';
import { expectHardened } from './testdata/mutate.ts';

const QUERY = {
  mint: 1_000,
  maxt: 2_000,
  matchers: [
    new Matcher('=', '__name__', 'up'),
    new Matcher('!=', 'a', 'b'),
    new Matcher('=~', 'c', 'd.*'),
    new Matcher('!~', 'e', 'f'),
  ],
  hints: { func: 'rate', stepMs: 1, startMs: 2, endMs: 3, rangeMs: 4, grouping: ['job'], by: true },
};

test('a request reads as what was written', () => {
  const request = {
    queries: [QUERY, { ...QUERY, hints: undefined }],
    acceptedResponses: ['streamed_chunks', 'samples'],
  };
  const read = readReadRequest(encodeReadRequest(request as never));
  expect(read.acceptedResponses).toEqual(request.acceptedResponses);
  expect(read.queries.map((query) => query.matchers.map(String))).toEqual([
    ['__name__="up"', 'a!="b"', 'c=~"d.*"', 'e!~"f"'],
    ['__name__="up"', 'a!="b"', 'c=~"d.*"', 'e!~"f"'],
  ]);
  expect(read.queries[0]).toMatchObject({ mint: 1_000, maxt: 2_000, hints: QUERY.hints });
  expect(read.queries[1].hints).toBeUndefined();
});

test('a matcher of an unknown type and a bad expression are refused', () => {
  const request = encodeReadRequest({
    queries: [{ ...QUERY, hints: undefined, matchers: [] }],
    acceptedResponses: [],
  });
  // Query with matcher {type 7} and with a regex that is none.
  const unknown = Uint8Array.of(0x0a, 4, 0x1a, 2, 0x08, 7);
  const bad = Uint8Array.of(0x0a, 7, 0x1a, 5, 0x08, 2, 0x1a, 1, 0x28);
  expect(readReadRequest(request).queries[0].matchers).toEqual([]);
  expect(() => readReadRequest(unknown)).toThrow('matcher type 7 is not known');
  expect(() => readReadRequest(bad)).toThrow('error parsing regexp');
});

test('an answer reads as what was written', () => {
  fc.assert(
    fc.property(fc.array(fc.array(timeSeries, { maxLength: 2 }), { maxLength: 2 }), (results) => {
      expect(readReadResponse(encodeReadResponse(results))).toEqual(results);
    }),
  );
});

const chunk = fc.record({
  mint: time,
  maxt: time,
  encoding: fc.integer({ min: 1, max: 6 }),
  data: fc.uint8Array({ maxLength: 40 }),
});
const response = fc.record({
  series: fc.array(
    fc.record({
      labels: fc.array(fc.string(), { maxLength: 4 }).map((l) => l.slice(0, l.length & ~1)),
      chunks: fc.array(chunk, { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  queryIndex: fc.nat(5),
});

test('frames read as what was written, one after the other', () => {
  fc.assert(
    fc.property(fc.array(response, { maxLength: 3 }), (responses) => {
      const stream = Uint8Array.from(responses.flatMap((one) => [...encodeFrame(one)]));
      expect(plain(readFrames(stream))).toEqual(plain(responses));
    }),
  );
});

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner) => (inner instanceof Uint8Array ? [...inner] : inner)));
}

test('a frame has its size, a big-endian CRC-32C and the message', () => {
  const frame = encodeFrame({ series: [], queryIndex: 3 });
  expect([...frame.subarray(0, 1), ...frame.subarray(5)]).toEqual([2, 0x10, 3]);
  expect(new DataView(frame.buffer).getUint32(1)).toBe(bitwiseCrc32c([0x10, 3]));
  frame[5] ^= 1;
  expect(() => readFrames(frame)).toThrow('frame with a bad checksum at 0');
  expect(() => readFrames(frame.subarray(0, 4))).toThrow('frame cut off at 0');
  expect(() => readFrames(Uint8Array.of(255))).toThrow('frame without a size at 0');
});

/** The definition, bit by bit. */
function bitwiseCrc32c(bytes: readonly number[]): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

test('mutated messages read, or fail with bad_data or corrupt', () => {
  const request = encodeReadRequest({ queries: [QUERY, QUERY], acceptedResponses: ['samples'] });
  expectHardened([request], readReadRequest);
  const answers = fc.sample(fc.array(timeSeries, { minLength: 1 }), { numRuns: 10, seed: 3 });
  expectHardened(
    answers.map((series) => encodeReadResponse([series])),
    readReadResponse,
  );
  const frames = fc.sample(response, { numRuns: 20, seed: 3 }).map(encodeFrame);
  expectHardened(frames, readFrames, ['bad_data', 'corrupt']);
});
