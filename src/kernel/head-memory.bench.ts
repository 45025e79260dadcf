import { encodeLabels } from '../encoding/label-bytes.ts';
import { WireWriter } from '../encoding/protobuf.ts';
import { Labels } from '../model/labels.ts';
import { snappyCompress } from './bytes-kernel.ts';
import { type HeadMemory, IngestEvent } from './head-memory.ts';
import { WasmHeadMemory } from './wasm-head-memory.ts';

/**
 * ns per sample of a head in WebAssembly, one thread: `node src/kernel/head-memory.bench.ts [series] [rounds]`. Requests carry 2,000
 * samples of ten labels (about 265 bytes). Of each request the fastest round counts, as other work shares the machine.
 */
const SERIES = Number(process.argv[2] ?? 200_000);
const ROUNDS = Number(process.argv[3] ?? 20);
const PER_REQUEST = 2000;
const STEP_MS = 15_000;
const START = 1_700_000_000_000;
const DECODED_MAX = 2 ** 26;

const pool = makeLabels(SERIES);
const memory = new WasmHeadMemory();
memory.setChunkFilePosition(1, 8);
let walRef = 1;

console.log(
  `${SERIES} series, label bytes ${Math.round(pool.reduce((sum, bytes) => sum + bytes.length, 0) / SERIES)}`,
);
const backwards = [...pool].reverse();
report('create', 0, 1, () => pool);
report('predicted', 1, ROUNDS, () => pool);
// Every other round comes backwards, so that no series follows the one it followed last.
report('hash', ROUNDS, 2 * ROUNDS, (i) => ((i - ROUNDS) % 2 === 0 ? backwards : pool));
fill(2 * ROUNDS, 119);
const use = memory.memoryUse();
console.log(`bytes per series with 119 samples: ${Math.round(use.total / SERIES)}`, use);
print('replay', replay());

/** Rounds `from` … `to`, each a sample per series in the order given. */
function report(name: string, from: number, to: number, order: (i: number) => readonly Uint8Array[]): void {
  const least = { decode: [] as number[], all: [] as number[] };
  for (let i = from; i < to; i++) {
    const times = send(i, order(i));
    times.all.forEach((ns, r) => {
      least.all[r] = Math.min(least.all[r] ?? Infinity, ns);
      least.decode[r] = Math.min(least.decode[r] ?? Infinity, times.decode[r]);
    });
  }
  print(name, sum(least.all) / SERIES, `of it snappy ${(sum(least.decode) / SERIES).toFixed(1)}`);
}

/** More rounds, without requests. */
function fill(from: number, to: number): void {
  for (let i = from; i < to; i++) {
    for (let slot = 1; slot <= SERIES; slot++) {
      memory.append(slot, START + i * STEP_MS, valueAt(slot - 1, i));
      if (slot % PER_REQUEST === 0) memory.takeSamplesRecord();
    }
  }
}

/** ns of every request of a round: until it is decoded, and until all is done. */
function send(i: number, order: readonly Uint8Array[]): { decode: number[]; all: number[] } {
  const times = { decode: [] as number[], all: [] as number[] };
  for (let from = 0; from < SERIES; from += PER_REQUEST) {
    const body = request(order.slice(from, from + PER_REQUEST), START + i * STEP_MS, i);
    const begin = process.hrtime.bigint();
    memory.beginWrite(body, DECODED_MAX);
    times.decode.push(Number(process.hrtime.bigint() - begin));
    finish(memory);
    times.all.push(Number(process.hrtime.bigint() - begin));
  }
  return times;
}

function finish(into: HeadMemory): void {
  for (let event = into.resume(); event !== IngestEvent.done; event = into.resume()) {
    if (event !== IngestEvent.newSeries) throw new Error(`event ${event}`);
    into.adopt(into.create(into.event.labels, walRef++));
  }
  into.takeSamplesRecord();
  into.takeClosedChunks();
}

/** Ten rounds of samples records into a fresh head. */
function replay(): number {
  const target = new WasmHeadMemory();
  target.setChunkFilePosition(1, 8);
  pool.forEach((labels, i) => void target.mapWalRef(i + 1, target.create(labels, i + 1)));
  const source = new WasmHeadMemory();
  source.setChunkFilePosition(1, 8);
  pool.forEach((labels, i) => void source.create(labels, i + 1));
  let least = Infinity;
  for (let i = 0; i < 10; i++) {
    let ns = 0n;
    for (let from = 1; from <= SERIES; from += PER_REQUEST) {
      for (let slot = from; slot < Math.min(from + PER_REQUEST, SERIES + 1); slot++)
        source.append(slot, START + i * STEP_MS, slot + i * (slot % 50));
      const record = source.takeSamplesRecord().slice();
      const begin = process.hrtime.bigint();
      target.replaySamples(record);
      ns += process.hrtime.bigint() - begin;
    }
    least = Math.min(least, Number(ns) / SERIES);
  }
  return least;
}

function request(series: readonly Uint8Array[], t: number, i: number): Uint8Array {
  const writer = new WireWriter(1 << 20);
  series.forEach((labels, s) => {
    writer.message(1, () => {
      writer.raw(labels);
      writer.message(2, () => {
        writer.double(1, valueAt(s, i));
        writer.int(2, t);
      });
    });
  });
  return snappyCompress(writer.bytes());
}

/** A third each: constants, counters, gauges of three digits. */
function valueAt(series: number, i: number): number {
  if (series % 3 === 0) return series;
  if (series % 3 === 1) return series * 1000 + i * (series % 50);
  return Math.round(100 * Math.sin(series + i));
}

/** Targets of 500 series each, in the order in which a scrape has them. */
function makeLabels(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const target = Math.floor(i / 500);
    const name = `application-${target % 17}`;
    return encodeLabels(
      Labels.from({
        __name__: `node_family_${Math.floor((i % 500) / 5)}_seconds_total`,
        cluster: 'prod-eu-west-1',
        container: name,
        endpoint: 'http-metrics',
        instance: `10.${(target >> 16) & 255}.${(target >> 8) & 255}.${target & 255}:9090`,
        job: `service-${target % 31}`,
        le: `${(i % 5) / 10}`,
        namespace: `namespace-${target % 41}`,
        pod: `${name}-7d9c5b8f6-${target.toString(36).padStart(5, '0')}`,
        service: `service-${target % 31}`,
      }),
    );
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function print(name: string, ns: number, more = ''): void {
  console.log(
    `${name.padEnd(10)} ${ns.toFixed(1).padStart(7)} ns/sample  ${(1e3 / ns).toFixed(1)} M/s  ${more}`,
  );
}
