import { METRIC_TYPES, type Metadata } from '../../model/metadata.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import type { MetricMetadata } from './metric-metadata.ts';

export const METADATA_FILE = 'metadata.json';
const VERSION = 1;

/**
 * The metadata of a tenant's families on disk. The log knows metadata by series, and a family that remote write 1.0 tells
 * of has none of its own; a file of its own keeps all of them exactly (docs/format/metadata.md).
 */
export class MetadataFile {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #log: Logger;
  readonly #metadata: MetricMetadata;
  /** Revision on disk. */
  #saved = 0;
  #saving: Promise<void> | undefined;
  #failing = false;

  constructor(disk: Disk, dir: string, log: Logger, metadata: MetricMetadata) {
    this.#disk = disk;
    this.#path = `${dir}/${METADATA_FILE}`;
    this.#log = log;
    this.#metadata = metadata;
  }

  /** Reads the file; false when there is none or it makes no sense, which is told. */
  async load(): Promise<boolean> {
    if ((await this.#disk.stat(this.#path)) === undefined) return false;
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(await this.#disk.readFile(this.#path));
      for (const [family, list] of parse(text))
        for (const metadata of list.toReversed()) this.#metadata.set(family, metadata);
      this.#saved = this.#metadata.revision;
      return true;
    } catch (error) {
      this.#log.warn('the file with metadata of metrics is damaged; what the log has of it is used', {
        path: this.#path,
        error: (error as Error).message,
      });
      return false;
    }
  }

  /**
   * Resolves when the file has everything known now; undefined when it has already. Callers at once share one writing. A
   * failure is told in the log and tried again by the next call: it is no reason to refuse samples.
   */
  save(): Promise<void> | undefined {
    if (this.#saved === this.#metadata.revision) return undefined;
    // What is being written may be older than what the caller has set.
    const turn = (this.#saving ?? Promise.resolve()).then(() => this.#write());
    this.#saving = turn;
    return turn;
  }

  async #write(): Promise<void> {
    const { revision } = this.#metadata;
    if (this.#saved === revision) return;
    try {
      await this.#disk.writeFileAtomic(this.#path, new TextEncoder().encode(print(this.#metadata)));
      this.#saved = revision;
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.#log.error('metadata of metrics cannot be written and stay in memory', {
          path: this.#path,
          error: (error as Error).message,
        });
      this.#failing = true;
    }
  }
}

function print(metadata: MetricMetadata): string {
  return `${JSON.stringify({ version: VERSION, families: [...metadata.entries()] })}\n`;
}

/** Throws when it is not what `print` makes. */
function parse(text: string): [string, Metadata[]][] {
  const { version, families } = JSON.parse(text) as { version?: unknown; families?: unknown };
  if (version !== VERSION || !Array.isArray(families)) throw new Error(`version ${version} is not known`);
  return families.map(([family, list]: [string, Metadata[]]) => [checkText(family), list.map(toMetadata)]);
}

function toMetadata({ type, unit, help }: Metadata): Metadata {
  if (!METRIC_TYPES.includes(type)) throw new Error(`type ${type} is not known`);
  return { type, unit: checkText(unit), help: checkText(help) };
}

function checkText(value: string): string {
  if (typeof value !== 'string') throw new Error(`${JSON.stringify(value)} is no text`);
  return value;
}
