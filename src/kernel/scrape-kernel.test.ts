import { deflateRawSync, gzipSync, constants as zlib } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openBody } from './scrape-kernel.ts';

const MAX = 1 << 24;

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 500 }),
  fc
    .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 300 })), {
      maxLength: 60,
    })
    .map((parts) => Buffer.concat(parts.flatMap(([part, times]) => Array<Uint8Array>(times).fill(part)))),
);
const options = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  strategy: fc.constantFrom(zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED),
});

test('what zlib compressed comes back, by every strategy', () => {
  fc.assert(
    fc.property(contents, options, (bytes, how) => {
      const opened = openBody(gzipSync(bytes, how), true, MAX);
      expect(opened && Buffer.compare(opened.bytes, bytes)).toBe(0);
    }),
    { numRuns: 1000 },
  );
});

test('large contents of several blocks come back', () => {
  let x = 7;
  const noisy = Uint8Array.from({ length: 700_000 }, (_, i) => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    return i % 3 === 0 ? (x >>> 16) % 61 : 32 + (i % 89);
  });
  for (const level of [0, 1, 6, 9]) {
    const opened = openBody(gzipSync(noisy, { level }), true, MAX);
    expect(opened && Buffer.compare(opened.bytes, noisy)).toBe(0);
  }
});

test('a damaged file is never taken for another one', () => {
  fc.assert(
    fc.property(
      contents,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.nat(40),
      (bytes, changes, cut) => {
        const file = gzipSync(bytes);
        for (const [at, flip] of changes) file[at % file.length] ^= flip;
        const opened = openBody(file.subarray(0, file.length - cut), true, MAX);
        if (opened) expect(Buffer.compare(opened.bytes, bytes)).toBe(0);
      },
    ),
    { numRuns: 3000 },
  );
});

test('streams of any bytes end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(5000), (stream, size) => {
      const head = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
      const tail = Buffer.alloc(8);
      tail.writeUInt32LE(size, 4);
      openBody(Buffer.concat([head, stream, tail]), true, MAX);
    }),
    { numRuns: 3000 },
  );
});

test.each([
  ['two members', Buffer.concat([gzipSync('a'), gzipSync('b')])],
  ['bytes behind the stream', Buffer.concat([gzipSync('a'), Buffer.from('x')])],
  ['a stream without a head', deflateRawSync('abc')],
  ['nothing', Buffer.alloc(0)],
  ['a size that the stream cannot have', Buffer.from('1f8b08000000000000030300000000000000ff', 'hex')],
])('%s is left to zlib', (_, file) => {
  expect(openBody(file, true, MAX)).toBeUndefined();
});

test('a body as long as allowed, or longer, is left alone', () => {
  expect(openBody(gzipSync('abcd'), true, 4)).toBeUndefined();
  expect(openBody(Buffer.from('abcd'), false, 4)).toBeUndefined();
  expect(openBody(gzipSync('abcd'), true, 5)?.bytes).toHaveLength(4);
});

/** Lines of a body for tests: `key` with a value, or text as it is. */
function linesOf(...parts: readonly (string | { readonly key: string })[]) {
  const texts = parts.map((part) => (typeof part === 'string' ? part : part.key));
  return {
    text: Buffer.from(texts.join('')),
    records: Uint32Array.from(parts, (part, i) => 2 * texts[i].length + (typeof part === 'string' ? 0 : 1)),
  };
}

const KNOWN = linesOf('# HELP a b\n', { key: 'a{x="1"}' }, { key: 'a{x="2"}' }, '# EOF\n');

test('values of known lines are read, and odd ones are pointed at', () => {
  const body = '# HELP a b\na{x="1"} -12.5\na{x="2"} 1e+06\n# EOF\n';
  const { values } = openBody(Buffer.from(body), false, MAX, KNOWN) ?? {};
  expect([...(values?.values.subarray(0, 1) ?? [])]).toEqual([-12.5]);
  const [number, start, end] = values?.odd ?? [];
  expect([values?.odd.length, number, body.slice(start, end)]).toEqual([3, 1, '1e+06']);
});

test.each([
  ['another key', '# HELP a b\na{x="1"} 1\na{x="3"} 1\n# EOF\n'],
  ['another text', '# HELP a c\na{x="1"} 1\na{x="2"} 1\n# EOF\n'],
  ['a timestamp', '# HELP a b\na{x="1"} 1 1000\na{x="2"} 1\n# EOF\n'],
  ['an exemplar', '# HELP a b\na{x="1"} 1 # {} 1\na{x="2"} 1\n# EOF\n'],
  ['no value', '# HELP a b\na{x="1"} \na{x="2"} 1\n# EOF\n'],
  ['two spaces', '# HELP a b\na{x="1"}  1\na{x="2"} 1\n# EOF\n'],
  ['one line more', '# HELP a b\na{x="1"} 1\na{x="2"} 1\nb 1\n# EOF\n'],
  ['one line less', '# HELP a b\na{x="1"} 1\n# EOF\n'],
  ['a cut-off end', '# HELP a b\na{x="1"} 1\na{x="2"} 1'],
])('a body with %s has other lines', (_, body) => {
  const opened = openBody(Buffer.from(body), false, MAX, KNOWN);
  expect(opened?.values).toBeUndefined();
  expect(Buffer.from(opened?.bytes ?? []).toString()).toBe(body);
});

test('short decimal numbers are read as JavaScript reads them', () => {
  const number = fc
    .tuple(
      fc.constantFrom('', '-', '+'),
      fc.stringMatching(/^\d{0,16}$/),
      fc.stringMatching(/^(\.\d{0,16})?$/),
    )
    .map((parts) => parts.join(''))
    .filter((text) => /\d/.test(text));
  const lines = linesOf({ key: 'a' });
  fc.assert(
    fc.property(number, (text) => {
      const { values } = openBody(Buffer.from(`a ${text}\n`), false, MAX, lines) ?? {};
      if (values?.odd.length === 0) expect(values.values[0]).toBe(Number(text));
      else expect(text.replace(/[^\d]/g, '').length).toBeGreaterThan(15);
    }),
    { numRuns: 2000 },
  );
});
