import type { ScrapeJob } from '../../config/scrape/job.ts';
import { xxhash64 } from '../../encoding/xxhash64.ts';
import { formatDuration, parseDuration } from '../../model/duration.ts';
import { VeronaError } from '../../model/errors.ts';
import { Labels } from '../../model/labels.ts';
import type { Relabeler } from '../../model/relabel.ts';
import type { FamilyMetadata } from './known-line.ts';

const PARAM = '__param_';
const BOOLEANS: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};
const NHCB = '__convert_classic_histograms_to_nhcb__';
const KEEP_CLASSIC = '__always_scrape_classic_histograms__';
const NATIVE = '__scrape_native_histograms__';

/** The labels of a discovered target before relabelling: its own, those of its group, and what the job says. */
export function discoveredLabels(job: ScrapeJob, target: Labels, group: Labels): Labels {
  const labels = new Map([...group, ...target]);
  const defaults: [string, string][] = [
    ['job', job.job_name],
    ['__scrape_interval__', formatDuration(job.scrape_interval)],
    ['__scrape_timeout__', formatDuration(job.scrape_timeout)],
    ['__metrics_path__', job.metrics_path],
    ['__scheme__', job.scheme],
    [NHCB, String(job.convert_classic_histograms_to_nhcb)],
    [KEEP_CLASSIC, String(job.always_scrape_classic_histograms)],
    [NATIVE, String(job.scrape_native_histograms)],
    ...Object.entries(job.params).map(([name, values]): [string, string] => [PARAM + name, values[0] ?? '']),
  ];
  for (const [name, value] of defaults) if (!labels.get(name)) labels.set(name, value);
  return Labels.from(labels);
}

/**
 * The target that discovered labels make; undefined when relabelling drops it. Throws `bad_data` when what relabelling
 * leaves is no target.
 */
export function makeTarget(
  job: ScrapeJob,
  discovered: Labels,
  relabeler: Relabeler,
): ScrapeTarget | undefined {
  const kept = relabeler.apply(discovered);
  if (kept === undefined) return undefined;
  const address = kept.get('__address__');
  if (address === '') throw new VeronaError('bad_data', 'no address');
  if (address.includes('/'))
    throw new VeronaError('bad_data', `${JSON.stringify(address)} is not a valid hostname`);
  const intervalMs = durationOf(kept, '__scrape_interval__', 'scrape interval');
  const timeoutMs = durationOf(kept, '__scrape_timeout__', 'scrape timeout');
  if (timeoutMs > intervalMs)
    throw new VeronaError('bad_data', `scrape timeout cannot be greater than scrape interval`);
  const labels = Labels.from(
    [...kept, ['instance', kept.get('instance') || address] as const].filter(
      ([name]) => !name.startsWith('__meta_'),
    ),
  );
  return new ScrapeTarget(job, discovered, labels, { intervalMs, timeoutMs });
}

function durationOf(labels: Labels, name: string, what: string): number {
  const ms = parseDuration(labels.get(name));
  if (ms === undefined)
    throw new VeronaError('bad_data', `error parsing ${what} ${JSON.stringify(labels.get(name))}`);
  if (ms === 0) throw new VeronaError('bad_data', `${what} cannot be 0`);
  return ms;
}

export type TargetHealth = 'unknown' | 'up' | 'down';

/** One endpoint to scrape, and how the last scrape went. */
export class ScrapeTarget {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** With those that begin with `__`. */
  readonly allLabels: Labels;
  /** Those that its series get. */
  readonly labels: Labels;
  readonly url: string;
  /** Equal for equal targets, and only for them. */
  readonly key: string;
  discovered: Labels;
  health: TargetHealth = 'unknown';
  lastError = '';
  /** ms since the epoch; 0 when there was none. */
  lastScrape = 0;
  lastDurationMs = 0;
  /** What it says of its metric families. */
  families: () => Iterable<FamilyMetadata> = () => [];

  constructor(
    job: ScrapeJob,
    discovered: Labels,
    labels: Labels,
    timing: { readonly intervalMs: number; readonly timeoutMs: number },
  ) {
    this.discovered = discovered;
    this.allLabels = labels;
    this.intervalMs = timing.intervalMs;
    this.timeoutMs = timing.timeoutMs;
    this.labels = Labels.from([...labels].filter(([name]) => !name.startsWith('__')));
    this.url = urlOf(job, labels);
    this.key = `${labels.key()}\xff${this.url}`;
  }

  /** Whether a setting is on that a label may decide. */
  flag(name: 'native' | 'keepClassic' | 'convertClassic'): boolean {
    const label = { native: NATIVE, keepClassic: KEEP_CLASSIC, convertClassic: NHCB }[name];
    return BOOLEANS[this.allLabels.get(label)] ?? false;
  }

  /**
   * ms from `now` to the next scrape: targets are spread over the interval by their hash, at the same times after every
   * start, as Prometheus does. `seed` sets instances apart.
   */
  offset(now: number, seed: bigint): number {
    const { intervalMs } = this;
    const hash = xxhash64(Buffer.from(this.key, 'utf8')) ^ seed;
    const next = intervalMs - (now % intervalMs) + Number(hash % BigInt(intervalMs));
    return next > intervalMs ? next - intervalMs : next;
  }
}

function urlOf(job: ScrapeJob, labels: Labels): string {
  const params = new URLSearchParams();
  const given = new Map(Object.entries(job.params).map(([name, values]) => [name, [...values]]));
  for (const [label, value] of labels) {
    if (!label.startsWith(PARAM)) continue;
    const name = label.slice(PARAM.length);
    const values = given.get(name) ?? [];
    values[0] = value;
    given.set(name, values);
  }
  for (const name of [...given.keys()].sort())
    for (const value of given.get(name) as string[]) params.append(name, value);
  const query = params.toString();
  const path = escapePath(labels.get('__metrics_path__'));
  const slash = path === '' || path.startsWith('/') ? '' : '/';
  const base = `${labels.get('__scheme__')}://${labels.get('__address__')}${slash}${path}`;
  return query === '' ? base : `${base}?${query}`;
}

/** As Go escapes paths: a question mark is a part of it. */
function escapePath(path: string): string {
  return encodeURI(path.toWellFormed()).replace(
    /[?#!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
