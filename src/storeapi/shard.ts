import { visitLabels } from '../encoding/label-bytes.ts';
import { xxhash64 } from '../encoding/xxhash64.ts';
import { VeronaError } from '../model/errors.ts';
import type { Shard } from './store-server.ts';

const SEPARATOR = 0xff;

const SHARDS_MAX = 4096;

/** The shard; undefined when there are not at least one. Throws `bad_data` when it is none of them. */
export function checkedShard(shard: Shard): Shard | undefined {
  const { index, total } = shard;
  if (total < 1) return undefined;
  if (
    !Number.isInteger(index) ||
    !Number.isInteger(total) ||
    index < 0 ||
    index >= total ||
    total > SHARDS_MAX
  )
    throw new VeronaError('bad_data', `shard ${index} of ${total} (at most ${SHARDS_MAX}) does not exist`);
  return shard;
}

/** Whether series belong to a shard: xxhash64(name 0xff value 0xff …) over the chosen labels, modulo the shards. */
export class ShardTest {
  readonly #shard: Shard;
  readonly #names: ReadonlySet<string>;
  #scratch = new Uint8Array(1024);

  constructor(shard: Shard) {
    this.#shard = shard;
    this.#names = new Set(shard.labels);
  }

  /** `labelBytes` are canonical. */
  has(labelBytes: Uint8Array): boolean {
    const { index, total, by } = this.#shard;
    if (this.#scratch.length < labelBytes.length) this.#scratch = new Uint8Array(2 * labelBytes.length);
    let size = 0;
    const put = (start: number, end: number) => {
      this.#scratch.set(labelBytes.subarray(start, end), size);
      size += end - start;
      this.#scratch[size++] = SEPARATOR;
    };
    visitLabels(labelBytes, 0, labelBytes.length, (nameStart, nameEnd, valueStart, valueEnd) => {
      const name = Buffer.from(labelBytes.buffer, labelBytes.byteOffset + nameStart, nameEnd - nameStart);
      if (this.#names.has(name.toString('utf8')) !== by) return;
      put(nameStart, nameEnd);
      put(valueStart, valueEnd);
    });
    return Number(xxhash64(this.#scratch.subarray(0, size)) % BigInt(total)) === index;
  }
}
