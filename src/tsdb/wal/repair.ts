import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { frameRecord } from './framing.ts';
import { segmentPath } from './segments.ts';
import { scanSegment, type WalDamage } from './wal-reader.ts';

/** One write of a rewritten segment holds about this much. */
const WRITE_BYTES = 1024 * 1024;

/**
 * Makes a log readable to its end again, for us and for Prometheus, after a `WalReader` reported `damages`.
 *
 * A torn record at the end of a segment is cut off. Any other damaged segment is rewritten with the records that can be
 * read, and the old file stays beside it as `<segment>.corrupt`. Where Prometheus cuts the log at the first damage and
 * drops every later segment, nothing readable is dropped here. A missing segment is replaced by an empty one.
 */
export async function repairWal(
  disk: Disk,
  dir: string,
  damages: readonly WalDamage[],
  log: Logger,
): Promise<void> {
  for (const [segment, list] of Map.groupBy(damages, (damage) => damage.segment)) {
    const { path } = list[0];
    for (const { start, end, reason, torn } of list)
      log.warn(torn ? 'cutting a torn record off the log' : 'repairing a damaged log', {
        path,
        start,
        end,
        reason,
      });
    for (const { missingFrom } of list)
      if (missingFrom !== undefined) await fillGap(disk, dir, missingFrom, segment);
    const bad = list.filter((damage) => damage.missingFrom === undefined);
    if (bad.length === 0) continue;
    if (bad.every((damage) => damage.torn)) await cutOff(disk, path, bad[0].start);
    else await rewrite(disk, segment, path);
  }
  await disk.syncDir(dir);
}

async function cutOff(disk: Disk, path: string, sizeBytes: number): Promise<void> {
  const file = await disk.open(path, 'write');
  try {
    await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function rewrite(disk: Disk, index: number, path: string): Promise<void> {
  const fresh = `${path}.repair`;
  await disk.remove(fresh);
  const file = await disk.open(fresh, 'create');
  try {
    const out = new ByteWriter(WRITE_BYTES);
    let offset = 0;
    for await (const found of scanSegment(disk, { index, path }, [])) {
      out.clear();
      for (const record of found) frameRecord(out, offset, record);
      await file.writeAt([out.view()], offset);
      offset += out.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.link(path, await freeName(disk, `${path}.corrupt`));
  await disk.rename(fresh, path);
}

async function freeName(disk: Disk, wanted: string): Promise<string> {
  let name = wanted;
  for (let i = 1; await disk.stat(name); i++) name = `${wanted}.${i}`;
  return name;
}

/** Prometheus refuses a log whose segments are not numbered without gaps. */
async function fillGap(disk: Disk, dir: string, first: number, before: number): Promise<void> {
  for (let index = first; index < before; index++) {
    const file = await disk.open(segmentPath(dir, index), 'write');
    await file.close();
  }
}
