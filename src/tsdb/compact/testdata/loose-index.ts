import { crc32c } from '../../../encoding/crc32c.ts';
import type { Disk } from '../../../platform/disk.ts';
import { ByteWriter } from '../../format/byte-writer.ts';
import { FileWindow } from '../../format/file-window.ts';
import { decodeToc, encodeToc, INDEX_MAGIC, INDEX_VERSION, TOC_BYTES } from '../../index/index-format.ts';
import { MergedSymbols } from '../../index/merged-symbols.ts';
import { SeriesCursor } from '../../index/series-cursor.ts';

export interface LooseChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly ref: number;
}

export interface LooseSeries {
  /** Name, value, name, value … */
  readonly labels: readonly string[];
  readonly chunks: readonly LooseChunk[];
}

/** The series of a good index. */
export async function readLooseSeries(disk: Disk, path: string): Promise<LooseSeries[]> {
  const file = await FileWindow.open(disk, path, 1 << 20);
  const toc = decodeToc(file.read(file.sizeBytes - TOC_BYTES, TOC_BYTES), path);
  const symbols = new MergedSymbols([file], [toc.symbols]);
  const cursor = new SeriesCursor(file, toc, symbols.ranks[0]);
  const all: LooseSeries[] = [];
  while (cursor.next())
    all.push({
      labels: Array.from(cursor.labels.subarray(0, 2 * cursor.labelCount), (rank) =>
        new TextDecoder().decode(symbols.bytesOf(rank)),
      ),
      chunks: Array.from({ length: cursor.chunkCount }, (_, i) => ({
        mint: cursor.mint[i],
        maxt: cursor.maxt[i],
        ref: cursor.chunkRef[i],
      })),
    });
  await file.close();
  return all;
}

/** An index whose symbols, series, labels and chunks stand in the order given, as good writers never write it. */
export function encodeLooseIndex(symbols: readonly string[], series: readonly LooseSeries[]): Uint8Array {
  const out = new ByteWriter();
  out.be32(INDEX_MAGIC);
  out.byte(INDEX_VERSION);
  const toc = { symbols: out.length, series: 0, labelIndices: 0, labelOffsetTable: 0, postings: 0, postingsOffsetTable: 0 };
  section(out, (body) => {
    body.be32(symbols.length);
    for (const symbol of symbols) body.prefixed(new TextEncoder().encode(symbol));
  });
  toc.series = out.length;
  const refs = series.map((entry) => writeSeries(out, symbols, entry));
  toc.labelIndices = toc.postings = out.length;
  const lists = postingsOf(series, refs).map(({ name, value, list }) => {
    const offset = out.length;
    section(out, (body) => {
      body.be32(list.length);
      for (const ref of list) body.be32(ref);
    });
    return { name, value, offset };
  });
  toc.labelOffsetTable = out.length;
  section(out, (body) => body.be32(0));
  toc.postingsOffsetTable = out.length;
  section(out, (body) => {
    body.be32(lists.length);
    for (const { name, value, offset } of lists) {
      body.byte(2);
      for (const text of [name, value]) body.prefixed(new TextEncoder().encode(text));
      body.uvarint(offset);
    }
  });
  encodeToc(out, toc);
  return out.copy();
}

function writeSeries(out: ByteWriter, symbols: readonly string[], { labels, chunks }: LooseSeries): number {
  while (out.length % 16 !== 0) out.byte(0);
  const start = out.length;
  const body = new ByteWriter();
  body.uvarint(labels.length / 2);
  for (const text of labels) body.uvarint(symbols.indexOf(text));
  body.uvarint(chunks.length);
  for (const [i, { mint, maxt, ref }] of chunks.entries()) {
    if (i === 0) body.varint(mint);
    else wrapped(body, mint - chunks[i - 1].maxt);
    body.uvarint(maxt - mint);
    if (i === 0) body.uvarint(ref);
    else body.varint(ref - chunks[i - 1].ref);
  }
  out.uvarint(body.length);
  out.bytes(body.view());
  out.be32(crc32c(body.view()));
  return start / 16;
}

/** A difference as Go writes it, modulo 2^64. */
function wrapped(out: ByteWriter, value: number): void {
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.byte(Number(rest & 127n) | 128);
  out.byte(Number(rest));
}

function postingsOf(series: readonly LooseSeries[], refs: readonly number[]) {
  const lists = new Map<string, { name: string; value: string; list: number[] }>();
  const add = (name: string, value: string, ref: number) => {
    const key = JSON.stringify([name, value]);
    const known = lists.get(key) ?? { name, value, list: [] };
    lists.set(key, known);
    known.list.push(ref);
  };
  for (const [s, { labels }] of series.entries()) {
    add('', '', refs[s]);
    for (let i = 0; i < labels.length; i += 2) add(labels[i], labels[i + 1], refs[s]);
  }
  return [...lists.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, list]) => list);
}

function section(out: ByteWriter, write: (body: ByteWriter) => void): void {
  const body = new ByteWriter();
  write(body);
  out.be32(body.length);
  out.bytes(body.view());
  out.be32(crc32c(body.view()));
}
