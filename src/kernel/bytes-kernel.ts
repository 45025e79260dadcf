import { assert } from '../platform/assert.ts';
import { wasmBase64 } from './gen/bytes.ts';
import { memoryFull, snappyError } from './snappy-fault.ts';
import { compileWasm, instantiateWasm } from './wasm-module.ts';

/** What `assembly/entries/bytes.ts` exports. */
interface BytesExports {
  readonly memory: WebAssembly.Memory;
  readonly faultOffset: WebAssembly.Global<'i32'>;
  init(): void;
  input(size: number): number;
  output(): number;
  decompress(length: number, sizeMax: number): number;
  compress(length: number): number;
  crc32c(length: number, seed: number): number;
}

/** Larger arrays are refused: the kernel counts in 31 bits. */
const SIZE_MAX = 2 ** 30;
/** Bytes checksummed in one call, which bounds what stays allocated. */
const CRC_STEP = 2 ** 20;

let instance: BytesExports | undefined;

/** One small instance per thread. It keeps buffers as large as the largest arrays it saw. */
function kernel(): BytesExports {
  if (!instance) {
    instance = instantiateWasm<BytesExports>(compileWasm(wasmBase64));
    instance.init();
  }
  return instance;
}

/** Snappy's block form of `bytes`; a fresh array. As `encoding/snappy.ts`, fast. */
export function snappyCompress(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { compress, memory, output } = load(bytes);
  const length = compress(bytes.length);
  if (length <= 0) throw memoryFull();
  return new Uint8Array(memory.buffer).slice(output(), output() + length);
}

/** The contents of a snappy block; a fresh array. Throws `bad_data` with the offset, and `too_large` beyond `sizeMax` bytes. */
export function snappyDecompress(bytes: Uint8Array, sizeMax: number): Uint8Array<ArrayBuffer> {
  return snappyView(bytes, sizeMax).slice();
}

/** As `snappyDecompress`, but a view of the kernel's memory: valid until the next call of anything in this file. */
export function snappyView(bytes: Uint8Array, sizeMax: number): Uint8Array<ArrayBuffer> {
  const { decompress, memory, output, faultOffset } = load(bytes);
  const length = decompress(bytes.length, Math.min(sizeMax, SIZE_MAX));
  if (length < 0) throw snappyError(length, faultOffset.value, sizeMax);
  return new Uint8Array(memory.buffer as ArrayBuffer, output() >>> 0, length);
}

/** CRC-32C of bytes[start … end); `seed` is the checksum of what came before. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  let crc = seed;
  for (let at = start; at < end; at += CRC_STEP) {
    const part = bytes.subarray(at, Math.min(end, at + CRC_STEP));
    crc = load(part).crc32c(part.length, crc);
  }
  return crc >>> 0;
}

function load(bytes: Uint8Array): BytesExports {
  assert(bytes.length <= SIZE_MAX, `array of ${bytes.length} bytes for the kernel`);
  const wasm = kernel();
  const at = wasm.input(bytes.length) >>> 0;
  if (at === 0) throw memoryFull();
  new Uint8Array(wasm.memory.buffer).set(bytes, at);
  return wasm;
}
