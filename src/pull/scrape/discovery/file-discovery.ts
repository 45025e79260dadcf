import type { FileDiscoveryConfig } from '../../../config/scrape/discovery.ts';
import { parseTargetList } from '../../../config/scrape/target-list.ts';
import { type Clock, repeat } from '../../../platform/clock.ts';
import type { Disk } from '../../../platform/disk.ts';
import type { Logger } from '../../../platform/log.ts';
import type { ScrapeMetrics } from '../scrape-metrics.ts';
import { groupOf } from './static-discovery.ts';
import type { Discovery, TargetGroup } from './target-group.ts';

/** Files are looked at this often, and read when they changed. */
const LOOK_INTERVAL_MS = 3000;
const FILE_BYTES_MAX = 64 * 1024 * 1024;
const FILES_MAX = 10_000;

export interface FileDiscoveryDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ScrapeMetrics;
}

/** A file as it was read last. */
interface KnownFile {
  readonly stamp: string;
  readonly readAt: number;
  readonly groups: readonly TargetGroup[];
}

/** Targets in files of JSON or YAML. A file that is broken keeps the targets it had; one that is gone has none. */
export class FileDiscovery implements Discovery {
  readonly #config: FileDiscoveryConfig;
  readonly #deps: FileDiscoveryDeps;
  readonly #stop = new AbortController();
  #files = new Map<string, KnownFile>();
  #isFirst = true;

  constructor(config: FileDiscoveryConfig, deps: FileDiscoveryDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  start(found: (groups: readonly TargetGroup[]) => void): void {
    const { clock } = this.#deps;
    const interval = Math.min(LOOK_INTERVAL_MS, this.#config.refresh_interval);
    void repeat(
      clock,
      interval,
      this.#stop.signal,
      async () => {
        if (await this.#look()) found([...this.#files.values()].flatMap(({ groups }) => groups));
      },
      (error) => this.#complain({ error: String(error) }),
    );
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Reads what is new; whether anything changed. */
  async #look(): Promise<boolean> {
    const { disk } = this.#deps;
    const paths: string[] = [];
    for (const pattern of this.#config.files) paths.push(...(await matchingFiles(disk, pattern)));
    const files = new Map<string, KnownFile>();
    let changed = this.#isFirst;
    this.#isFirst = false;
    for (const path of [...new Set(paths)].slice(0, FILES_MAX)) {
      const known = this.#files.get(path);
      const file = await this.#read(path, known);
      if (file !== known) changed = true;
      if (file !== undefined) files.set(path, file);
    }
    changed ||= files.size !== this.#files.size;
    this.#files = files;
    return changed && !this.#stop.signal.aborted;
  }

  async #read(path: string, known: KnownFile | undefined): Promise<KnownFile | undefined> {
    const { disk, clock } = this.#deps;
    const now = clock.monotonic();
    try {
      const stat = await disk.stat(path);
      if (stat === undefined || stat.isDirectory) return undefined;
      const stamp = `${stat.modifiedMs} ${stat.sizeBytes}`;
      const isFresh = known !== undefined && now - known.readAt < this.#config.refresh_interval;
      if (isFresh && known.stamp === stamp) return known;
      if (stat.sizeBytes > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`);
      const text = Buffer.from(await disk.readFile(path)).toString('utf8');
      const groups = parseTargetList({ file: path, text }).map((group, i) =>
        groupOf(`${path}:${i}`, group, { __meta_filepath: path }),
      );
      return { stamp, readAt: now, groups };
    } catch (error) {
      this.#complain({ file: path, error: (error as Error).message });
      return known;
    }
  }

  #complain(fields: Readonly<Record<string, string>>): void {
    this.#deps.metrics.refreshFailures.inc({ mechanism: 'file' });
    this.#deps.log.warn('a file of targets was not read; those it had stay', fields);
  }
}

/** Paths of the files that a pattern with a star in the last part at most means, in order. */
export async function matchingFiles(disk: Disk, pattern: string): Promise<string[]> {
  const star = pattern.indexOf('*');
  if (star === -1) return [pattern];
  const slash = pattern.lastIndexOf('/');
  const dir = slash === -1 ? '.' : pattern.slice(0, slash) || '/';
  const parts = pattern.slice(slash + 1).split('*');
  const entries = await disk.list(dir);
  const names = entries.filter((entry) => !entry.isDirectory && matches(entry.name, parts));
  return names.map(({ name }) => (slash === -1 ? name : `${pattern.slice(0, slash)}/${name}`));
}

/** Whether a name consists of these parts with anything between them. */
function matches(name: string, parts: readonly string[]): boolean {
  const first = parts[0];
  const last = parts[parts.length - 1];
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
