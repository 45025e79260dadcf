import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WireWriter } from '../../../encoding/protobuf.ts';
import { VeronaError } from '../../../model/errors.ts';
import { type MediaType, openExposition } from './open-exposition.ts';
import { EntryKind } from './parser.ts';

const TEXT = `# HELP http_requests_total The \\\\ total\\n
# TYPE http_requests_total counter
http_requests_total{method="post",code="2\\"00"} 1027 1395066363000
{"utf8.name","label x"="y"} 1
# TYPE h histogram
h_bucket{le="1"} 1
h_bucket{le="+Inf"} 2
h_count 2
h_sum 3.5
`;
const OPEN_METRICS = `# TYPE foo_seconds counter
# UNIT foo_seconds seconds
foo_seconds_total{a="b"} 17.0 1520879607.789 # {trace_id="KOO5"} 0.67 1520879607.123
# EOF
`;

function histogramFamily(): Uint8Array {
  const writer = new WireWriter();
  writer.message(1, () => {
    writer.string(1, 'h');
    writer.int(3, 4);
    writer.message(4, () => {
      writer.message(7, () => {
        writer.int(1, 4);
        writer.double(2, 10);
        writer.message(3, () => writer.double(2, 0.5));
        writer.message(12, () => writer.int(2, 2));
        writer.packedSints(13, [1, 2]);
        writer.message(16, () => writer.message(3, () => writer.int(1, 5)));
      });
    });
  });
  return writer.bytes().slice(1);
}

const BODIES: [MediaType, Uint8Array][] = [
  ['text/plain', Buffer.from(TEXT)],
  ['application/openmetrics-text', Buffer.from(OPEN_METRICS)],
  ['application/vnd.google.protobuf', histogramFamily()],
];

/** Reads everything; how many entries there were, or undefined when the body was refused. Other errors are thrown. */
function readAll(bytes: Uint8Array, type: MediaType, convertClassic: boolean): number | undefined {
  try {
    const options = { native: true, keepClassic: true, convertClassic };
    const { parser } = openExposition(bytes, type, undefined, options);
    let count = 0;
    for (let kind = parser.next(); kind !== EntryKind.end; kind = parser.next(), count++)
      if (kind === EntryKind.series || kind === EntryKind.histogram) {
        parser.labels();
        parser.exemplars();
        expect(typeof parser.key).toBe('string');
      }
    return count;
  } catch (error) {
    if (error instanceof VeronaError && error.code === 'bad_data') return undefined;
    throw error;
  }
}

test.each(BODIES)('%s with changed bytes is read or refused', (type, body) => {
  expect(readAll(body, type, false)).toBeGreaterThan(0);
  const change = fc.record({
    at: fc.nat({ max: body.length - 1 }),
    remove: fc.nat({ max: 3 }),
    add: fc.oneof(
      fc.uint8Array({ maxLength: 3 }),
      fc
        .constantFrom('"', '\\', '\n', '{', '}', ',', '=', ' ', '#', '\0', '\xff', '1e')
        .map((s) => Buffer.from(s, 'latin1')),
    ),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.boolean(), (changes, convert) => {
      let bytes: Uint8Array = body;
      for (const { at, remove, add } of changes)
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          add,
          bytes.subarray(Math.min(bytes.length, at + remove)),
        ]);
      const count = readAll(bytes, type, convert);
      expect(count === undefined || count <= bytes.length + 8).toBe(true);
    }),
    { numRuns: 3000 },
  );
});

test.each(BODIES)('%s cut anywhere is read or refused', (type, body) => {
  for (let end = 0; end < body.length; end++) readAll(body.subarray(0, end), type, true);
});
