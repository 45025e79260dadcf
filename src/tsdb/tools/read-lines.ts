import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';

const BLOCK_BYTES = 1024 * 1024;
const LINE_LENGTH_MAX = 16 * 1024 * 1024;

/** The lines of a UTF-8 file without their ends. Throws `bad_data` for a line that is too long or not UTF-8. */
export async function* readLines(disk: Disk, path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const file = await disk.open(path, 'read');
  try {
    const block = new Uint8Array(BLOCK_BYTES);
    let rest = '';
    for (let offset = 0; ; ) {
      const length = await file.readAt(block, offset);
      offset += length;
      const lines = (rest + decode(decoder, block.subarray(0, length), offset)).split('\n');
      rest = lines.pop() as string;
      if (rest.length > LINE_LENGTH_MAX)
        throw new VeronaError('bad_data', `${path}: line longer than ${LINE_LENGTH_MAX}`);
      yield* lines;
      if (length < block.length) break;
    }
    if (rest !== '') yield rest;
  } finally {
    await file.close();
  }
}

function decode(decoder: TextDecoder, bytes: Uint8Array, end: number): string {
  try {
    return decoder.decode(bytes, { stream: bytes.length === BLOCK_BYTES });
  } catch (cause) {
    throw new VeronaError('bad_data', `not UTF-8 before byte ${end}`, { cause });
  }
}
