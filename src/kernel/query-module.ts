import { wasmBase64 } from './gen/query.ts';
import { compileWasm } from './wasm-module.ts';

/** What `assembly/entries/query.ts` exports; addresses are bytes into `memory`, checked by `QueryKernel`. */
export interface QueryExports {
  readonly memory: WebAssembly.Memory;
  init(): number;
  powersAt(): number;
  /** See `assembly/decode-series.ts`. */
  openChunks(table: number, chunks: number, data: number, dataSize: number): void;
  decodeSeries(
    from: number,
    to: number,
    mint: number,
    maxt: number,
    times: number,
    values: number,
    count: number,
    capacity: number,
    scratch: number,
  ): number;
  reachedChunk(): number;
  reachedSamples(): number;
  wantedSamples(): number;
  dropStale(times: number, values: number, count: number): number;
  windows(
    func: number,
    times: number,
    values: number,
    count: number,
    start: number,
    step: number,
    steps: number,
    range: number,
    scratch: number,
    row: number,
  ): void;
  instant: InstantExport;
  instantTimes: InstantExport;
  /** How many steps of the row have a value. */
  countValues(row: number, steps: number): number;
  groupAdd(kind: number, row: number, steps: number, block: number): void;
  groupFinish(kind: number, block: number, steps: number, row: number): void;
  writeRow(row: number, steps: number, start: number, step: number, out: number): number;
  writeFloat(value: number, out: number): number;
}

type InstantExport = (
  times: number,
  values: number,
  count: number,
  start: number,
  step: number,
  steps: number,
  lookback: number,
  row: number,
) => void;

const POWER_MIN = -292;
const POWER_MAX = 324;
let compiled: WebAssembly.Module | undefined;
let powers: BigUint64Array | undefined;

/** A fresh instance with its own memory. Code and tables are made once per thread. */
export function instantiateQueryKernel(): QueryExports {
  compiled ??= compileWasm(wasmBase64);
  powers ??= powersOfTen();
  const instance = new WebAssembly.Instance(compiled);
  const exports = instance.exports as unknown as QueryExports;
  const end = exports.init();
  const missing = end - exports.memory.buffer.byteLength;
  if (missing > 0) exports.memory.grow(Math.ceil(missing / 65536));
  new BigUint64Array(exports.memory.buffer, exports.powersAt(), powers.length).set(powers);
  return exports;
}

/** 10^-292 … 10^324 as 128-bit significands, rounded up; high word, low word. */
function powersOfTen(): BigUint64Array {
  const table = new BigUint64Array(2 * (POWER_MAX - POWER_MIN + 1));
  for (let exponent = POWER_MIN; exponent <= POWER_MAX; exponent++) {
    const significand = significandOf(exponent);
    const i = 2 * (exponent - POWER_MIN);
    table[i] = significand >> 64n;
    table[i + 1] = BigInt.asUintN(64, significand);
  }
  return table;
}

function significandOf(exponent: number): bigint {
  if (exponent >= 0) {
    const power = 10n ** BigInt(exponent);
    const surplus = power.toString(2).length - 128;
    return surplus <= 0 ? power << BigInt(-surplus) : divideUp(power, 1n << BigInt(surplus));
  }
  const power = 10n ** BigInt(-exponent);
  const length = power.toString(2).length;
  return divideUp(1n << BigInt(127 + length), power);
}

function divideUp(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}
