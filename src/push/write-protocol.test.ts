import { expect, test } from 'vitest';
import { writeVersionOf } from './write-protocol.ts';

test.each([
  [undefined, 1],
  ['application/x-protobuf', 1],
  ['Application/X-Protobuf; charset=x', 1],
  ['application/x-protobuf;proto=prometheus.WriteRequest', 1],
  ['application/x-protobuf;proto=io.prometheus.write.v2.Request', 2],
  ['application/x-protobuf; proto="io.prometheus.write.v2.Request"', 2],
])('content type %s is remote write %d', (type, version) => {
  expect(writeVersionOf({ 'content-type': type, 'content-encoding': 'snappy' })).toBe(version);
  expect(writeVersionOf({ 'content-type': type })).toBe(version);
});

test.each([
  ['application/json', 'snappy'],
  ['application/x-protobuf;proto=io.prometheus.write.v3.Request', 'snappy'],
  ['application/x-protobuf;proto=', 'snappy'],
  ['application/x-protobuf', 'gzip'],
  ['application/x-protobuf', 'snappy, snappy'],
])('content type %s with encoding %s is refused', (type, encoding) => {
  expect(() => writeVersionOf({ 'content-type': type, 'content-encoding': encoding })).toThrow(
    expect.objectContaining({ code: 'unsupported_media' }),
  );
});
