import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import { isUlid } from '../tsdb/block/ulid.ts';

/** The shipper's memory in a tenant's folder, as Thanos' sidecar has it: `{"version":1,"uploaded":[ulid …]}`. */
const SHIP_FILE = 'thanos.shipper.json';
const VERSION = 1;

/** The blocks shipped so far; none when there is no file, or none that can be read: the bucket knows as well. */
export async function readShipped(disk: Disk, dir: string, log: Logger): Promise<readonly string[]> {
  const path = `${dir}/${SHIP_FILE}`;
  if (!(await disk.stat(path))) return [];
  const shipped = parse(await disk.readFile(path));
  if (!shipped) log.warn('the list of shipped blocks cannot be read, the bucket is asked instead', { path });
  return shipped ?? [];
}

export async function writeShipped(disk: Disk, dir: string, shipped: readonly string[]): Promise<void> {
  const text = JSON.stringify({ version: VERSION, uploaded: [...shipped].sort() }, null, '\t');
  await disk.writeFileAtomic(`${dir}/${SHIP_FILE}`, new TextEncoder().encode(`${text}\n`));
}

function parse(data: Uint8Array): readonly string[] | undefined {
  try {
    const { version, uploaded } = JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>;
    if (version !== VERSION) return undefined;
    // Go writes null for an empty list.
    const list = uploaded ?? [];
    return Array.isArray(list) && list.every((ulid) => typeof ulid === 'string' && isUlid(ulid))
      ? list
      : undefined;
  } catch {
    return undefined;
  }
}
