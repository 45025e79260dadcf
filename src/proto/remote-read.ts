import { crc32c } from '../encoding/crc32c.ts';
import { WireReader, WireWriter } from '../encoding/protobuf.ts';
import { putUvarint, readUvarint, uvarintSize } from '../encoding/varint.ts';
import { VeronaError } from '../model/errors.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';
import {
  readLabel,
  readTimeSeriesMessage as readSeries,
  writeLabels,
  writeTimeSeries,
} from './remote-write.ts';
import type { TimeSeries } from './time-series.ts';

/**
 * Remote read (prometheus.ReadRequest and answers):
 *
 *   ReadRequest   1 queries…, 2 accepted_response_types enum…
 *   Query         1 start_timestamp_ms int64, 2 end_timestamp_ms int64, 3 matchers…, 4 hints
 *   LabelMatcher  1 type enum (EQ 0, NEQ 1, RE 2, NRE 3), 2 name, 3 value
 *   ReadHints     1 step_ms, 2 func, 3 start_ms, 4 end_ms, 5 grouping…, 6 by, 7 range_ms
 *   ReadResponse  1 results…;  QueryResult  1 timeseries…
 *
 *   ChunkedReadResponse  1 chunked_series…, 2 query_index int64
 *   ChunkedSeries        1 labels…, 2 chunks…
 *   Chunk                1 min_time_ms, 2 max_time_ms, 3 type enum (Prometheus' encoding byte), 4 data
 *
 * A request and a ReadResponse travel snappy-compressed; a stream is a sequence of frames without compression:
 *   ┌──────────────┬──────────────────────────┬────────────────────────────┐
 *   │ uvarint size │ CRC-32C of data, 4 B BE  │ data (ChunkedReadResponse) │
 *   └──────────────┴──────────────────────────┴────────────────────────────┘
 */
export interface ReadRequest {
  readonly queries: readonly ReadQuery[];
  /** In the client's order of preference; none means samples. */
  readonly acceptedResponses: readonly ReadResponseType[];
}

export type ReadResponseType = 'samples' | 'streamed_chunks';

export interface ReadQuery {
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly matchers: readonly Matcher[];
  readonly hints: ReadHints | undefined;
}

export interface ReadHints {
  readonly func: string;
  readonly stepMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly rangeMs: number;
  readonly grouping: readonly string[];
  readonly by: boolean;
}

const MATCH_TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];
const RESPONSE_TYPES: readonly ReadResponseType[] = ['samples', 'streamed_chunks'];

/** Throws `WireError`, or `bad_data` for a matcher that is none. Response types not known are left out. */
export function readReadRequest(bytes: Uint8Array): ReadRequest {
  const queries: ReadQuery[] = [];
  const types: number[] = [];
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) queries.push(readQuery(reader.message()));
    else if (reader.field === 2) reader.uints(types);
  }
  const acceptedResponses = types.map((type) => RESPONSE_TYPES[type]).filter((type) => type !== undefined);
  return { queries, acceptedResponses };
}

function readQuery(reader: WireReader): ReadQuery {
  let mint = 0;
  let maxt = 0;
  let hints: ReadHints | undefined;
  const matchers: Matcher[] = [];
  while (reader.next()) {
    if (reader.field === 1) mint = reader.int();
    else if (reader.field === 2) maxt = reader.int();
    else if (reader.field === 3) matchers.push(readMatcher(reader.message()));
    else if (reader.field === 4) hints = readHints(reader.message());
  }
  return { mint, maxt, matchers, hints };
}

function readMatcher(reader: WireReader): Matcher {
  let type = 0;
  let name = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === 1) type = reader.int();
    else if (reader.field === 2) name = reader.string();
    else if (reader.field === 3) value = reader.string();
  }
  const matchType = MATCH_TYPES[type];
  if (matchType === undefined) throw new VeronaError('bad_data', `matcher type ${type} is not known`);
  return new Matcher(matchType, name, value);
}

function readHints(reader: WireReader): ReadHints {
  const hints = {
    func: '',
    stepMs: 0,
    startMs: 0,
    endMs: 0,
    rangeMs: 0,
    grouping: [] as string[],
    by: false,
  };
  while (reader.next()) {
    if (reader.field === 1) hints.stepMs = reader.int();
    else if (reader.field === 2) hints.func = reader.string();
    else if (reader.field === 3) hints.startMs = reader.int();
    else if (reader.field === 4) hints.endMs = reader.int();
    else if (reader.field === 5) hints.grouping.push(reader.string());
    else if (reader.field === 6) hints.by = reader.bool();
    else if (reader.field === 7) hints.rangeMs = reader.int();
  }
  return hints;
}

/** The request as protobuf, to be compressed with snappy by the caller. A fresh array. */
export function encodeReadRequest(request: ReadRequest): Uint8Array {
  const writer = new WireWriter();
  for (const query of request.queries) writer.message(1, () => writeQuery(writer, query));
  if (request.acceptedResponses.length > 0)
    writer.packedUints(
      2,
      request.acceptedResponses.map((type) => RESPONSE_TYPES.indexOf(type)),
    );
  return writer.bytes().slice();
}

function writeQuery(writer: WireWriter, { mint, maxt, matchers, hints }: ReadQuery): void {
  writer.int(1, mint);
  writer.int(2, maxt);
  for (const matcher of matchers)
    writer.message(3, () => {
      writer.int(1, MATCH_TYPES.indexOf(matcher.type));
      writer.string(2, matcher.name);
      writer.string(3, matcher.value);
    });
  if (hints)
    writer.message(4, () => {
      writer.int(1, hints.stepMs);
      writer.string(2, hints.func);
      writer.int(3, hints.startMs);
      writer.int(4, hints.endMs);
      for (const label of hints.grouping) writer.string(5, label);
      writer.bool(6, hints.by);
      writer.int(7, hints.rangeMs);
    });
}

/** One list of series per query, in the order of the queries. */
export type ReadResponse = readonly (readonly TimeSeries[])[];

/** The answer as protobuf, to be compressed with snappy by the caller. A fresh array. */
export function encodeReadResponse(results: ReadResponse): Uint8Array {
  const writer = new WireWriter();
  for (const result of results)
    writer.message(1, () => {
      for (const series of result) writer.message(1, () => writeTimeSeries(writer, series));
    });
  return writer.bytes().slice();
}

export function readReadResponse(bytes: Uint8Array): ReadResponse {
  const results: TimeSeries[][] = [];
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field !== 1) continue;
    const result: TimeSeries[] = [];
    const inner = reader.message();
    while (inner.next()) if (inner.field === 1) result.push(readSeries(inner.message()));
    results.push(result);
  }
  return results;
}

export interface ReadChunk {
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  /** Prometheus' encoding byte (XOR 1, histogram 2, float histogram 3). */
  readonly encoding: number;
  readonly data: Uint8Array;
}

export interface ChunkedSeries {
  /** name, value, name, value … */
  readonly labels: readonly string[];
  readonly chunks: readonly ReadChunk[];
}

export interface ChunkedReadResponse {
  readonly series: readonly ChunkedSeries[];
  readonly queryIndex: number;
}

/** One frame of a stream, complete. A fresh array. */
export function encodeFrame(response: ChunkedReadResponse): Uint8Array {
  const writer = new WireWriter();
  for (const series of response.series) writer.message(1, () => writeChunkedSeries(writer, series));
  if (response.queryIndex !== 0) writer.int(2, response.queryIndex);
  const data = writer.bytes();
  const head = uvarintSize(data.length) + 4;
  const frame = new Uint8Array(head + data.length);
  const at = putUvarint(frame, 0, data.length);
  new DataView(frame.buffer).setUint32(at, crc32c(data));
  frame.set(data, head);
  return frame;
}

function writeChunkedSeries(writer: WireWriter, { labels, chunks }: ChunkedSeries): void {
  writeLabels(writer, labels);
  for (const { mint, maxt, encoding, data } of chunks)
    writer.message(2, () => {
      writer.int(1, mint);
      writer.int(2, maxt);
      writer.int(3, encoding);
      writer.view(4, data);
    });
}

/** All frames of a stream that is here as a whole; chunk data are views into it. Throws `corrupt` with the offset of the frame, or `WireError`. */
export function readFrames(bytes: Uint8Array): ChunkedReadResponse[] {
  const responses: ChunkedReadResponse[] = [];
  const cursor = { bytes, at: 0, end: bytes.length };
  while (cursor.at < bytes.length) {
    const start = cursor.at;
    const size = frameSize(cursor);
    if (size > bytes.length - cursor.at - 4) throw new VeronaError('corrupt', `frame cut off at ${start}`);
    const dataStart = cursor.at + 4;
    const expected = new DataView(bytes.buffer, bytes.byteOffset + cursor.at).getUint32(0);
    cursor.at = dataStart + size;
    if (crc32c(bytes, dataStart, cursor.at) !== expected)
      throw new VeronaError('corrupt', `frame with a bad checksum at ${start}`);
    responses.push(readChunkedResponse(new WireReader(bytes, dataStart, cursor.at)));
  }
  return responses;
}

function frameSize(cursor: { readonly bytes: Uint8Array; at: number; readonly end: number }): number {
  const start = cursor.at;
  try {
    return readUvarint(cursor);
  } catch (cause) {
    throw new VeronaError('corrupt', `frame without a size at ${start}`, { cause });
  }
}

function readChunkedResponse(reader: WireReader): ChunkedReadResponse {
  const series: ChunkedSeries[] = [];
  let queryIndex = 0;
  while (reader.next()) {
    if (reader.field === 1) series.push(readChunkedSeries(reader.message()));
    else if (reader.field === 2) queryIndex = reader.int();
  }
  return { series, queryIndex };
}

function readChunkedSeries(reader: WireReader): ChunkedSeries {
  const labels: string[] = [];
  const chunks: ReadChunk[] = [];
  while (reader.next()) {
    if (reader.field === 1) readLabel(reader.message(), labels);
    else if (reader.field === 2) chunks.push(readChunk(reader.message()));
  }
  return { labels, chunks };
}

function readChunk(reader: WireReader): ReadChunk {
  let mint = 0;
  let maxt = 0;
  let encoding = 0;
  let data = new Uint8Array(0) as Uint8Array;
  while (reader.next()) {
    if (reader.field === 1) mint = reader.int();
    else if (reader.field === 2) maxt = reader.int();
    else if (reader.field === 3) encoding = reader.int();
    else if (reader.field === 4) data = reader.view();
  }
  return { mint, maxt, encoding, data };
}
