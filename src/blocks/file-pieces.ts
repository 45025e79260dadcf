import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';

const PIECE_BYTES = 4 * 1024 * 1024;

/** A file in pieces; one that became shorter than it was is an error, since its size is promised to readers. */
export async function* filePieces(disk: Disk, path: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const file = await disk.open(path, 'read');
  try {
    for (let offset = 0; offset < sizeBytes; ) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes - offset));
      if ((await file.readAt(piece, offset)) < piece.length)
        throw new VeronaError(
          'corrupt',
          `${path}: ends before ${offset + piece.length} of ${sizeBytes} bytes`,
        );
      offset += piece.length;
      yield piece;
    }
  } finally {
    await file.close();
  }
}
