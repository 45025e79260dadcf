import { crc32c } from '../../encoding/crc32c.ts';
import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { ByteReader } from '../format/byte-reader.ts';
import { ByteWriter } from '../format/byte-writer.ts';

/**
 * Deleted ranges of a block's series:
 *
 *   ┌──────────────────┬───────────┬──────────────────────────────────────────────────┬───────────┐
 *   │ magic 0x0130BA30 │ version 1 │ ( series ref uvarint │ mint varint │ maxt varint )… │ CRC32C 4B │
 *   └──────────────────┴───────────┴──────────────────────────────────────────────────┴───────────┘
 *                        CRC32C of the entries only; version and magic are not covered
 */
export const TOMBSTONES_MAGIC = 0x0130ba30;
export const TOMBSTONES_FILE = 'tombstones';

/** Times in mint … maxt (ms, inclusive) are deleted. */
export interface Interval {
  readonly mint: number;
  readonly maxt: number;
}

/** By series ref of the block's index; intervals ascending, neither overlapping nor touching. */
export type Tombstones = ReadonlyMap<number, readonly Interval[]>;

export function encodeTombstones(tombstones: Tombstones): Uint8Array {
  const out = new ByteWriter();
  out.be32(TOMBSTONES_MAGIC);
  out.byte(1);
  for (const [ref, intervals] of tombstones)
    for (const { mint, maxt } of intervals) {
      out.uvarint(ref);
      out.varint(mint);
      out.varint(maxt);
    }
  out.be32(crc32c(out.view(5)));
  return out.copy();
}

/** Throws `corrupt`. */
export function decodeTombstones(bytes: Uint8Array, path: string): Tombstones {
  if (bytes.length < 9) throw new VeronaError('corrupt', `${path}: tombstones cut off`);
  const reader = new ByteReader(bytes, 0, bytes.length - 4);
  const magic = reader.be32();
  if (magic !== TOMBSTONES_MAGIC)
    throw new VeronaError('corrupt', `${path}: bad magic number ${magic.toString(16)} at 0`);
  const sum = new ByteReader(bytes, bytes.length - 4).be32();
  if (crc32c(bytes, 5, bytes.length - 4) !== sum) throw new VeronaError('corrupt', `${path}: bad checksum`);
  const version = reader.byte();
  if (version !== 1) throw new VeronaError('corrupt', `${path}: unknown version ${version} at 4`);
  const tombstones = new Map<number, readonly Interval[]>();
  while (reader.left > 0) {
    const ref = reader.uvarint();
    const interval = { mint: reader.varint(), maxt: reader.varint() };
    tombstones.set(ref, addInterval(tombstones.get(ref) ?? [], interval));
  }
  return tombstones;
}

/** Empty when the block has none. */
export async function readTombstones(disk: Disk, blockDir: string): Promise<Tombstones> {
  const path = `${blockDir}/${TOMBSTONES_FILE}`;
  return (await disk.stat(path)) ? decodeTombstones(await disk.readFile(path), path) : new Map();
}

export async function writeTombstones(disk: Disk, blockDir: string, tombstones: Tombstones): Promise<void> {
  await disk.writeFileAtomic(`${blockDir}/${TOMBSTONES_FILE}`, encodeTombstones(tombstones));
}

/** The intervals with one more, joined with those it overlaps or touches. */
export function addInterval(intervals: readonly Interval[], added: Interval): Interval[] {
  let { mint, maxt } = added;
  const before = intervals.filter((one) => one.maxt + 1 < mint);
  const after = intervals.filter((one) => one.mint - 1 > maxt);
  for (const one of intervals)
    if (one.maxt + 1 >= mint && one.mint - 1 <= added.maxt) {
      mint = Math.min(mint, one.mint);
      maxt = Math.max(maxt, one.maxt);
    }
  return [...before, { mint, maxt }, ...after];
}
