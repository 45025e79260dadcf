import { VeronaError } from '../model/errors.ts';

/** The kernel found no room: its memory ends below 4 GiB. */
export function memoryFull(): VeronaError {
  return new VeronaError('unavailable', 'kernel memory is full');
}

/** What a negative answer of the kernel's snappy decoder means (`assembly/snappy.ts`); messages as `encoding/snappy.ts`. */
export function snappyError(code: number, offset: number, sizeMax: number): VeronaError {
  if (code === -2)
    return new VeronaError('too_large', `snappy: decodes to ${offset >>> 0} bytes, ${sizeMax} allowed`);
  const reason = REASONS[-code];
  return reason ? new VeronaError('bad_data', `snappy: ${reason} at ${offset}`) : memoryFull();
}

const REASONS: readonly (string | undefined)[] = [
  undefined,
  'no length',
  undefined,
  'length beyond what the input can hold',
  'element cut off',
  'output longer than announced',
  'copy from outside the output',
  'decodes to less than announced',
];
