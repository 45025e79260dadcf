import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WireError, WireReader } from '../encoding/protobuf.ts';
import { encodeQueryFrame, type QueryFrame, readQueryFrame } from './query-response.ts';

const series = (value: number) => ({
  labels: ['job', 'web'],
  samples: [{ t: 1000, v: value, startT: 0 }],
  histograms: [],
  exemplars: [],
});

const FRAMES: QueryFrame[] = [
  { kind: 'warning', warning: 'half of it' },
  { kind: 'stats', samplesTotal: 12, peakSamples: 3 },
  { kind: 'series', series: [series(1)] },
  { kind: 'series', series: [series(0), series(Number.NaN), series(Number.NEGATIVE_INFINITY)] },
];

test('every response comes back as it was', () => {
  for (const frame of FRAMES) expect(readQueryFrame(new WireReader(encodeQueryFrame(frame)))).toEqual(frame);
});

test('mutated bytes decode, or are an error of the wire', () => {
  const bytes = FRAMES.map(encodeQueryFrame);
  fc.assert(
    fc.property(fc.constantFrom(...bytes), fc.nat(), fc.nat(255), fc.nat(), (whole, at, byte, size) => {
      const mutated = whole.slice(0, 1 + (size % whole.length));
      mutated[at % mutated.length] = byte;
      try {
        readQueryFrame(new WireReader(mutated));
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }),
  );
});
