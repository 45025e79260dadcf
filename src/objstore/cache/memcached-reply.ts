import { VeronaError } from '../../model/errors.ts';

/** Longest line of an answer; a key has 250 bytes at most. */
const LINE_BYTES_MAX = 1024;

export interface MemcachedReply {
  /** Values by key, of a `get`. */
  readonly values: ReadonlyMap<string, Uint8Array>;
  /** The line that ended it: `END`, `STORED`, `NOT_STORED`, `ERROR …`. */
  readonly status: string;
}

/**
 * Takes memcached's text answers apart as their bytes come:
 * `VALUE <key> <flags> <bytes>\r\n<data>\r\n` any number of times, then a line of status. Throws `corrupt`.
 */
export class MemcachedReplies {
  readonly #valueBytesMax: number;
  #buffer: Buffer = Buffer.alloc(0);
  #values = new Map<string, Uint8Array>();

  constructor(valueBytesMax: number) {
    this.#valueBytesMax = valueBytesMax;
  }

  /** The answers that are whole with these bytes, in order. */
  push(bytes: Buffer): MemcachedReply[] {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    const replies: MemcachedReply[] = [];
    let at = 0;
    for (;;) {
      const end = this.#buffer.indexOf('\r\n', at);
      if (end < 0) break;
      const line = this.#buffer.toString('latin1', at, end);
      if (!line.startsWith('VALUE ')) {
        replies.push({ values: this.#values, status: line });
        this.#values = new Map();
        at = end + 2;
        continue;
      }
      const { key, length } = this.#head(line);
      const dataEnd = end + 2 + length;
      if (this.#buffer.length < dataEnd + 2) break;
      if (this.#buffer.toString('latin1', dataEnd, dataEnd + 2) !== '\r\n')
        throw corrupt('a value does not end where it says');
      this.#values.set(key, new Uint8Array(this.#buffer.subarray(end + 2, dataEnd)));
      at = dataEnd + 2;
    }
    this.#buffer = this.#buffer.subarray(at);
    if (this.#buffer.length > this.#valueBytesMax + LINE_BYTES_MAX)
      throw corrupt('an answer is longer than any may be');
    return replies;
  }

  #head(line: string): { key: string; length: number } {
    const [, key, , size] = line.split(' ');
    const length = Number(size);
    if (!key || !Number.isSafeInteger(length) || length < 0 || length > this.#valueBytesMax)
      throw corrupt(`the line ${JSON.stringify(line.slice(0, 80))}`);
    return { key, length };
  }
}

function corrupt(what: string): VeronaError {
  return new VeronaError('corrupt', `memcached: ${what}`);
}
