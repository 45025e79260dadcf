import { VeronaError } from '../model/errors.ts';
import { newGathered } from './gathered-columns.ts';
import type { GatheredSeries } from './head-memory.ts';
import type { HeadExports } from './head-module.ts';
import { memoryFull } from './snappy-fault.ts';

/** Slots per slice: bounds the kernel's output buffer, which stays allocated. */
const SLICE_SLOTS = 512;
/** Offsets are 32 bits. */
const COLUMN_MAX = 2 ** 32 - 1;
const XOR = 1;

/** Gathers the `count` slots in the kernel's input, slice by slice, into columns of their own memory. */
export function gatherSeries(
  wasm: HeadExports,
  count: number,
  { mint, maxt, newestOnly = false }: { mint: number; maxt: number; newestOnly?: boolean },
): GatheredSeries {
  wasm.measureSlots(0, count, mint, maxt, newestOnly);
  const out = allocate(wasm, count);
  let labels = 0;
  let chunk = 0;
  let data = 0;
  for (let from = 0; from < count; from += SLICE_SLOTS) {
    const to = Math.min(count, from + SLICE_SLOTS);
    wasm.measureSlots(from, to, mint, maxt, newestOnly);
    if (!wasm.gatherSlots(from, to, mint, maxt, newestOnly)) throw memoryFull();
    copySlice(wasm, out, from, to - from, labels, chunk, data);
    labels += wasm.labelTotal.value;
    chunk += wasm.chunkTotal.value;
    data += wasm.dataTotal.value;
  }
  return out;
}

/** Columns for what was measured. */
function allocate(wasm: HeadExports, count: number): GatheredSeries {
  const labelBytes = wasm.labelTotal.value;
  const chunks = wasm.chunkTotal.value;
  const dataBytes = wasm.dataTotal.value;
  if (labelBytes > COLUMN_MAX || dataBytes > COLUMN_MAX)
    throw new VeronaError(
      'limit',
      `gather ${count} series: ${labelBytes + dataBytes} bytes do not fit one batch`,
    );
  return newGathered({ series: count, chunks, labelBytes, dataBytes });
}

/** Copies the slice in the kernel's output (`assembly/gather.ts`); labels, chunk and data say where it goes. */
function copySlice(
  wasm: HeadExports,
  out: GatheredSeries,
  from: number,
  series: number,
  labels: number,
  chunk: number,
  data: number,
): void {
  const { buffer } = wasm.memory;
  const chunks = wasm.chunkTotal.value;
  const bytes = (at: number, length: number) => new Uint8Array(buffer, at >>> 0, length);
  const words = (at: number, length: number) => new Uint32Array(buffer, at >>> 0, length);
  const floats = (at: number) => new Float64Array(buffer, at >>> 0, chunks);
  out.labelBytes.set(bytes(wasm.labelsAt.value, wasm.labelTotal.value), labels);
  const labelEnds = words(wasm.labelEndsAt.value, series);
  const chunkEnds = words(wasm.chunkEndsAt.value, series);
  for (let i = 0; i < series; i++) {
    out.labelOffsets[from + i + 1] = labels + labelEnds[i];
    out.chunkStarts[from + i + 1] = chunk + chunkEnds[i];
  }
  out.chunkMint.set(floats(wasm.mintsAt.value), chunk);
  out.chunkMaxt.set(floats(wasm.maxtsAt.value), chunk);
  out.chunkRef.set(floats(wasm.refsAt.value), chunk);
  out.chunkDataLength.set(words(wasm.lengthsAt.value, chunks), chunk);
  out.chunkData.set(bytes(wasm.dataAt.value, wasm.dataTotal.value), data);
  for (let c = chunk; c < chunk + chunks; c++) {
    out.chunkEncoding[c] = out.chunkRef[c] === -1 ? XOR : 0;
    out.chunkDataOffset[c] = data;
    data += out.chunkDataLength[c];
  }
}
