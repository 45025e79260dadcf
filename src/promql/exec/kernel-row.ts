import { STALE_NAN_HIGH, STALE_NAN_LOW } from '../../model/sample.ts';
import { type Batch, Presence } from './batch.ts';

/** Copies a row of the kernel with `count` values, in which absent steps have the bits of the staleness marker. */
export function putKernelRow(batch: Batch, row: number, values: Float64Array, count: number): void {
  const { steps, presence } = batch;
  const from = row * steps;
  batch.values.set(values, from);
  if (count === steps) {
    presence.fill(Presence.float, from, from + steps);
    return;
  }
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * steps);
  for (let i = 0; i < steps; i++)
    if (words[2 * i + 1] !== STALE_NAN_HIGH || words[2 * i] !== STALE_NAN_LOW)
      presence[from + i] = Presence.float;
}
