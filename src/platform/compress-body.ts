import { promisify } from 'node:util';
import { gzip, gzipSync, zstdCompress } from 'node:zlib';

const FROM_BYTES = 1024;
/** Up to here compressing takes less time than giving it to another thread. */
const AT_ONCE_BYTES_MAX = 16 * 1024;
const LEVEL = { level: 1 } as const;
const gzipLater = promisify(gzip);
const zstdLater = promisify(zstdCompress);

export interface CompressedBody {
  readonly bytes: Uint8Array;
  /** `content-encoding` and `vary`. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A body in the best encoding of an `accept-encoding` header; undefined when it had better go as it is. */
export async function compressBody(
  body: string | Uint8Array,
  accepted: string | undefined,
): Promise<CompressedBody | undefined> {
  if (!accepted || body.length < FROM_BYTES) return undefined;
  const encoding = chooseEncoding(accepted);
  if (encoding === undefined) return undefined;
  const headers = { 'content-encoding': encoding, vary: 'Accept-Encoding' };
  if (encoding === 'zstd') return { bytes: await zstdLater(body), headers };
  const bytes = body.length <= AT_ONCE_BYTES_MAX ? gzipSync(body, LEVEL) : await gzipLater(body, LEVEL);
  return { bytes, headers };
}

function chooseEncoding(accepted: string): 'gzip' | 'zstd' | undefined {
  const offers = accepted.split(',').map((offer) => offer.trim().split(/\s*;\s*/));
  const takes = (name: string) => offers.some(([token, q]) => token === name && q !== 'q=0');
  return takes('zstd') ? 'zstd' : takes('gzip') ? 'gzip' : undefined;
}

/** Bytes as a string with a character for each. */
export function latin1Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
