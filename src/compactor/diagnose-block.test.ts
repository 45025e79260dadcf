import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { MergeSource } from '../tsdb/compact/merge-source.ts';
import { writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import { MergedSymbols } from '../tsdb/index/merged-symbols.ts';
import { isUnreadable } from './diagnose-block.ts';

const ULID = '01HF4D3T000000000000000001';

async function readIndex(disk: MemoryDisk): Promise<void> {
  const source = await MergeSource.open(disk, `b/${ULID}`, { order: 0, count: 1, replica: 0 });
  try {
    new MergedSymbols([source.index], [source.toc.symbols]);
  } finally {
    await source.close();
  }
}

test('a block whose index is cut off, wherever, or has another table of contents, is one that queries leave out', async () => {
  const disk = new MemoryDisk();
  const samples = Array.from({ length: 10 }, (_, i) => ({ t: i * 1000, value: i }));
  const series = { '{"a":"1","b":"x"}': samples, '{"a":"2","b":"x"}': samples };
  await writeTestBlock(disk, 'b', { ulid: ULID, minTime: 0, maxTime: 10_000, series });
  const path = `b/${ULID}/index`;
  const whole = await disk.readFile(path);
  await readIndex(disk);
  const isLeftOut = async (spoiled: Uint8Array) => {
    await disk.writeFileAtomic(path, spoiled);
    const error = await readIndex(disk).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error, 'it is read').toBeDefined();
    expect(isUnreadable(error as Error), (error as Error).message).toBe(true);
  };
  for (let size = 0; size < whole.length; size++) await isLeftOut(whole.slice(0, size));
  for (let at = whole.length - 52; at < whole.length; at++) {
    const spoiled = whole.slice();
    spoiled[at] ^= 0xff;
    await isLeftOut(spoiled);
  }
});
