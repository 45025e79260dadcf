import { VeronaError } from '../model/errors.ts';
import { tooLarge } from './bucket.ts';

/** The body of an answer as the client library hands it over. */
export type S3Body = AsyncIterable<Uint8Array> & { destroy(): void };

/** A body that ended before its end; why is the cause. */
export class BrokenBody extends Error {}

/** The whole body. Throws `too_large` beyond `sizeBytesMax`, and `BrokenBody` when it is not all that was announced; the caller then destroys it. */
export async function readBody(
  what: string,
  body: S3Body,
  announced: number | undefined,
  sizeBytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (announced !== undefined && announced > sizeBytesMax) throw tooLarge(what, announced, sizeBytesMax);
  const stop = () => body.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return announced === undefined
      ? await gatherBody(what, body, sizeBytesMax)
      : await fillBody(body, new Uint8Array(announced));
  } catch (cause) {
    throw cause instanceof VeronaError ? cause : new BrokenBody((cause as Error).message, { cause });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function fillBody(body: S3Body, data: Uint8Array): Promise<Uint8Array> {
  let at = 0;
  for await (const piece of body) {
    data.set(piece, at);
    at += piece.length;
  }
  if (at < data.length)
    throw Object.assign(new Error(`body ended at ${at} of ${data.length} bytes`), { code: 'ECONNRESET' });
  return data;
}

/** Of a body that goes in pieces, whose length nobody said. */
async function gatherBody(what: string, body: S3Body, sizeBytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    sizeBytes += piece.length;
    if (sizeBytes > sizeBytesMax) throw tooLarge(what, sizeBytes, sizeBytesMax);
  }
  return new Uint8Array(Buffer.concat(pieces));
}
