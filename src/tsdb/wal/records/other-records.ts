import type { Exemplar } from '../../../model/exemplar.ts';
import { Labels } from '../../../model/labels.ts';
import { METRIC_TYPES, type Metadata } from '../../../model/metadata.ts';
import { ByteReader } from '../../format/byte-reader.ts';
import { ByteWriter } from '../../format/byte-writer.ts';
import { RecordType } from './record-type.ts';

/** Samples of a series in mint … maxt (ms, inclusive) are deleted. */
export interface TombstoneRecord {
  readonly ref: number;
  readonly mint: number;
  readonly maxt: number;
}

/** ┌ type 3 │ ( ref 8B BE │ mint varint │ maxt varint )… ┐ */
export function encodeTombstonesRecord(tombstones: readonly TombstoneRecord[]): Uint8Array {
  const out = new ByteWriter();
  out.byte(RecordType.tombstones);
  for (const { ref, mint, maxt } of tombstones) {
    out.be64(ref);
    out.varint(mint);
    out.varint(maxt);
  }
  return out.copy();
}

export function decodeTombstonesRecord(record: Uint8Array): TombstoneRecord[] {
  const reader = new ByteReader(record, 1);
  const list: TombstoneRecord[] = [];
  while (reader.left > 0) list.push({ ref: reader.be64(), mint: reader.varint(), maxt: reader.varint() });
  return list;
}

export interface ExemplarRecord {
  readonly ref: number;
  readonly exemplar: Exemplar;
}

/** ┌ type 4 │ first ref 8B BE │ first t 8B BE │ ( ref - first varint │ t - first varint │ value 8B │ label count uvarint, strings )… ┐ */
export function encodeExemplarsRecord(exemplars: readonly ExemplarRecord[]): Uint8Array {
  const out = new ByteWriter();
  out.byte(RecordType.exemplars);
  if (exemplars.length === 0) return out.copy();
  const first = exemplars[0];
  out.be64(first.ref);
  out.be64(first.exemplar.t);
  for (const { ref, exemplar } of exemplars) {
    out.varint(ref - first.ref);
    out.varint(exemplar.t - first.exemplar.t);
    out.float64(exemplar.value);
    out.uvarint(exemplar.labels.size);
    for (const text of exemplar.labels.flat) out.string(text);
  }
  return out.copy();
}

export function decodeExemplarsRecord(record: Uint8Array): ExemplarRecord[] {
  const reader = new ByteReader(record, 1);
  const list: ExemplarRecord[] = [];
  if (reader.left === 0) return list;
  const firstRef = reader.be64();
  const firstTime = reader.be64Signed();
  while (reader.left > 0) {
    const ref = firstRef + reader.varint();
    const t = firstTime + reader.varint();
    const value = reader.float64();
    const pairs: [string, string][] = [];
    for (let count = reader.length(); count > 0; count--) pairs.push([text(reader), text(reader)]);
    list.push({ ref, exemplar: { labels: Labels.from(pairs), value, t, hasTimestamp: true } });
  }
  return list;
}

/** Out-of-order samples logged before this one are in the chunk `chunkRef` of `chunks_head/`. */
export interface MmapMarker {
  readonly ref: number;
  readonly chunkRef: number;
}

/** ┌ type 5 │ ( ref 8B BE │ chunk ref 8B BE )… ┐ */
export function encodeMmapMarkersRecord(markers: readonly MmapMarker[]): Uint8Array {
  const out = new ByteWriter();
  out.byte(RecordType.mmapMarkers);
  for (const { ref, chunkRef } of markers) {
    out.be64(ref);
    out.be64(chunkRef);
  }
  return out.copy();
}

export function decodeMmapMarkersRecord(record: Uint8Array): MmapMarker[] {
  const reader = new ByteReader(record, 1);
  const list: MmapMarker[] = [];
  while (reader.left > 0) list.push({ ref: reader.be64(), chunkRef: reader.be64() });
  return list;
}

export interface MetadataRecord {
  readonly ref: number;
  readonly metadata: Metadata;
}

/** ┌ type 6 │ ( ref uvarint │ metric type 1B │ field count uvarint │ ( name string │ value string )… )… ┐ with fields UNIT and HELP; metric types are numbered as in `METRIC_TYPES`. */
export function encodeMetadataRecord(list: readonly MetadataRecord[]): Uint8Array {
  const out = new ByteWriter();
  out.byte(RecordType.metadata);
  for (const { ref, metadata } of list) {
    out.uvarint(ref);
    out.byte(Math.max(0, METRIC_TYPES.indexOf(metadata.type)));
    out.uvarint(2);
    for (const field of ['UNIT', metadata.unit, 'HELP', metadata.help]) out.string(field);
  }
  return out.copy();
}

export function decodeMetadataRecord(record: Uint8Array): MetadataRecord[] {
  const reader = new ByteReader(record, 1);
  const list: MetadataRecord[] = [];
  while (reader.left > 0) {
    const ref = reader.uvarint();
    const type = METRIC_TYPES[reader.byte()] ?? 'unknown';
    const fields = new Map<string, string>();
    for (let count = reader.length(); count > 0; count--) fields.set(text(reader), text(reader));
    list.push({ ref, metadata: { type, unit: fields.get('UNIT') ?? '', help: fields.get('HELP') ?? '' } });
  }
  return list;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function text(reader: ByteReader): string {
  return decoder.decode(reader.take(reader.length()));
}
