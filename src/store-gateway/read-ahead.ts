/** Bytes that the reads of all queries of a gateway hold together. */
export class ReadRoom {
  readonly #bytesMax: number;
  #heldBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Half of it is in use: who reads in pieces makes them small. */
  get isTight(): boolean {
    return this.#heldBytes > this.#bytesMax / 2;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#heldBytes + bytes <= this.#bytesMax;
  }

  take(bytes: number): void {
    this.#heldBytes += bytes;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}

/** Something to be read, and about how many bytes that will be. */
export interface Piece {
  readonly bytes: number;
}

/**
 * Reads pieces and gives them in their order. The next one is read in any case; further ones at the same time while there is
 * room. A piece counts until the one after it is asked for.
 */
export async function* readAhead<P extends Piece, R>(
  pieces: Iterator<P>,
  room: ReadRoom,
  read: (piece: P) => Promise<R>,
): AsyncGenerator<readonly [P, R]> {
  const started: { readonly piece: P; readonly result: Promise<R> }[] = [];
  let next = pieces.next();
  try {
    while (started.length > 0 || !next.done) {
      while (!next.done && (started.length === 0 || room.hasRoomFor(next.value.bytes))) {
        const piece = next.value;
        room.take(piece.bytes);
        const result = read(piece);
        // Nobody may be waiting for it when it fails.
        result.catch(() => {});
        started.push({ piece, result });
        next = pieces.next();
      }
      const [{ piece, result }] = started;
      yield [piece, await result];
      started.shift();
      room.give(piece.bytes);
    }
  } finally {
    for (const { piece } of started) room.give(piece.bytes);
  }
}
