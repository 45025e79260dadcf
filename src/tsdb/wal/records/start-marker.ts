import type { ByteReader } from '../../format/byte-reader.ts';
import type { ByteWriter } from '../../format/byte-writer.ts';

/**
 * The start timestamp of every sample but the first of a record:
 *
 *   0 none   1 that of the sample before   2 ⟨difference to that of the first sample: varint⟩
 */
const Marker = { none: 0, same: 1, explicit: 2 } as const;

export function writeStart(out: ByteWriter, startT: number, first: number, previous: number): void {
  if (startT === 0) out.byte(Marker.none);
  else if (startT === previous) out.byte(Marker.same);
  else {
    out.byte(Marker.explicit);
    out.varint(startT - first);
  }
}

export function readStart(reader: ByteReader, first: number, previous: number): number {
  const marker = reader.byte();
  if (marker === Marker.none) return 0;
  return marker === Marker.same ? previous : first + reader.varint();
}
