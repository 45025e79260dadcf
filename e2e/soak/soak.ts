import { setTimeout as sleep } from 'node:timers/promises';
import type { Bucket } from '../../src/objstore/bucket.ts';
import { SeededRandom } from '../../src/platform/random.ts';
import { type Peer, startVerona } from '../peers.ts';
import { DAY_MS, type History } from './history.ts';

export interface SoakPlan {
  readonly history: History;
  /** As the processes reach it, and as the uploads do. */
  readonly bucketFlags: readonly string[];
  readonly bucket: Bucket;
  /** A folder for the processes' data. */
  readonly dir: string;
  readonly seed: number;
  /** Days that raw samples are kept, and those of five minutes. */
  readonly rawDays: number;
  readonly fiveMinutesDays: number;
  /** The compactor is killed about this often, ms. */
  readonly killEveryMs: number;
  /** So long after the last upload it is waited until it was killed in every phase, ms. */
  readonly killWaitMs: number;
  /** From a deletion mark to the deletion, seconds; leftovers of uploads stay twice as long. */
  readonly deletionDelaySeconds: number;
  readonly log: (line: string) => void;
}

export interface SoakResult {
  readonly blocks: number;
  /** How often the compactor was killed, by what it was doing: see `PHASES`. */
  readonly kills: Readonly<Record<Phase, number>>;
  /** Answers that were compared, and those that could not be had. */
  readonly answers: number;
  readonly unanswered: number;
  /** The longest time from the upload of a day until the store had seen it, ms. */
  readonly seenAfterMsMax: number;
  readonly differences: readonly string[];
  /** Blocks that are left at the end, and objects that belong to none of them or are marked. */
  readonly blocksLeft: number;
  readonly garbage: readonly string[];
}

/**
 * What the compactor is killed during: a kind of job that its page says is running, marks that its log tells of when retention
 * is over, deletions of what was marked, or anything.
 */
const PHASES = ['compact', 'downsample', 'retention', 'cleanup', 'any'] as const;
type Phase = (typeof PHASES)[number];
const WATCH_MS = 20;
const SPAN_DAYS_ASKED = 3;
const SYNC_MS = 2_000;
const REST_MS_MAX = 1_200_000;

/**
 * Brings the history into the bucket day by day, while a compactor joins, downsamples, expires and is killed at random, and a
 * store is asked all the time. What it answers must be the history, whatever the compactor was doing.
 */
export class Soak {
  readonly #plan: SoakPlan;
  readonly #random: SeededRandom;
  readonly #stopping = new AbortController();
  readonly #differences: string[] = [];
  #store: Peer | undefined;
  #compactor: Peer | undefined;
  readonly #kills: Record<Phase, number> = { compact: 0, downsample: 0, retention: 0, cleanup: 0, any: 0 };
  #answers = 0;
  #unanswered = 0;
  #blocks = 0;
  /** Days that are whole in the bucket, since when, and how many of them the store has seen. */
  #daysThere = 0;
  readonly #uploaded: { readonly days: number; readonly atMs: number }[] = [];
  #daysSeen = 0;
  #seenAfterMsMax = 0;

  constructor(plan: SoakPlan) {
    this.#plan = plan;
    this.#random = new SeededRandom(plan.seed);
  }

  async run(): Promise<SoakResult> {
    try {
      this.#store = await startVerona(`${this.#plan.dir}/store`, [
        ...this.#flags(),
        '--compactor.enabled=false',
        '--self-metrics.enabled=false',
        '--log.level=warn',
      ]);
      await this.#startCompactor();
      const killing = this.#killAtRandom();
      const asking = this.#askAtRandom();
      await this.#upload();
      await this.#untilKilledInAll();
      this.#stopping.abort();
      await Promise.all([killing, asking]);
      await this.#startCompactor();
      await this.#rest();
      await this.#askEverything();
      return await this.#result();
    } finally {
      this.#stopping.abort();
      await this.#compactor?.process.stop('SIGKILL');
      await this.#store?.process.stop();
    }
  }

  #flags(): string[] {
    const { bucketFlags, rawDays, fiveMinutesDays, deletionDelaySeconds } = this.#plan;
    return [
      ...bucketFlags,
      `--objstore.sync-interval=${SYNC_MS}ms`,
      `--objstore.ignore-deletion-marks-delay=${Math.floor(deletionDelaySeconds / 2)}s`,
      `--limits.retention-raw=${rawDays}d`,
      `--limits.retention-5m=${fiveMinutesDays}d`,
      '--compactor.interval=500ms',
      '--compactor.settle-delay=1s',
      `--compactor.deletion-delay=${deletionDelaySeconds}s`,
      `--compactor.partial-upload-delay=${2 * deletionDelaySeconds}s`,
      '--compactor.block-ranges=2h,12h,24h',
      '--compactor.downsample-5m-after=1d',
      '--compactor.downsample-1h-after=4d',
    ];
  }

  async #startCompactor(): Promise<void> {
    if (this.#compactor && !this.#compactor.process.exited) return;
    this.#compactor = await startVerona(`${this.#plan.dir}/compactor`, this.#flags(), undefined, 'compactor');
  }

  async #upload(): Promise<void> {
    const { history, bucket, log } = this.#plan;
    const signal = new AbortController().signal;
    for (let day = 0; day < history.days; day++) {
      this.#blocks += await history.upload(bucket, day, signal);
      this.#daysThere = day + 1;
      this.#uploaded.push({ days: this.#daysThere, atMs: Date.now() });
      if (day % 10 === 9)
        log(
          `${day + 1} days there, kills: ${JSON.stringify(this.#kills)}, ${this.#answers} answers, ${this.#differences.length} differences`,
        );
    }
    await sleep(3 * SYNC_MS);
  }

  /** In one phase after the other, each at a random moment of it; what does not come about in time is left for later. */
  async #killAtRandom(): Promise<void> {
    const { signal } = this.#stopping;
    for (let i = 0; !signal.aborted; i++) {
      const phase = PHASES[i % PHASES.length];
      await sleep(this.#plan.killEveryMs * (0.2 + 1.2 * this.#random.next()), undefined, { signal }).catch(
        () => {},
      );
      const begins = phase === 'any' || (await this.#untilIn(phase));
      if (signal.aborted) return;
      if (!begins) continue;
      await sleep(200 * this.#random.next());
      await this.#compactor?.process.stop('SIGKILL');
      this.#kills[phase]++;
      await this.#startCompactor();
    }
  }

  /** False when the phase does not begin in the time of a kill. */
  async #untilIn(phase: Exclude<Phase, 'any'>): Promise<boolean> {
    const deadline = Date.now() + this.#plan.killEveryMs;
    const before = this.#told(phase);
    while (Date.now() < deadline && !this.#stopping.signal.aborted) {
      if (
        phase === 'compact' || phase === 'downsample' ? await this.#runs(phase) : this.#told(phase) > before
      )
        return true;
      await sleep(WATCH_MS);
    }
    return false;
  }

  async #runs(kind: string): Promise<boolean> {
    const page = await fetch(`${this.#compactor?.url}/compactor`).then(
      (answer) => answer.text(),
      () => '',
    );
    return page.split('\n').some((line) => line.startsWith(`  ${kind} `) && line.includes('% after '));
  }

  /** How often the log tells of what a phase does. */
  #told(phase: Phase): number {
    const text = phase === 'retention' ? 'its retention is over' : 'a block is deleted';
    return (this.#compactor?.process.output ?? '').split(text).length - 1;
  }

  /** When everything is uploaded the compactor still has to join, make coarser, expire and delete: there too it is killed. */
  async #untilKilledInAll(): Promise<void> {
    const deadline = Date.now() + this.#plan.killWaitMs;
    while (Date.now() < deadline && Object.values(this.#kills).some((count) => count === 0)) await sleep(200);
    await sleep(2 * SYNC_MS);
  }

  async #askAtRandom(): Promise<void> {
    const { history } = this.#plan;
    while (!this.#stopping.signal.aborted) {
      await sleep(100);
      await this.#learnWhatIsSeen();
      if (this.#daysSeen === 0) continue;
      const last = Math.floor(this.#random.next() * this.#daysSeen);
      const days = Math.min(last + 1, 1 + Math.floor(this.#random.next() * SPAN_DAYS_ASKED));
      const tenant = history.tenants[Math.floor(this.#random.next() * history.tenants.length)];
      await this.#ask(tenant, last + 1 - days, days, this.#random.next() < 0.5 ? '0s' : '5m');
    }
  }

  /** What was in the bucket when the store's last look began must be in its answers. */
  async #learnWhatIsSeen(): Promise<void> {
    const metrics = await fetch(`${this.#store?.url}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    );
    const lookedMs =
      1000 * Number(/_last_successful_sync_timestamp_seconds (\d\S*)/.exec(metrics)?.[1] ?? Number.NaN);
    while (this.#uploaded.length > 0 && this.#uploaded[0].atMs < lookedMs) {
      const { days, atMs } = this.#uploaded[0];
      this.#uploaded.shift();
      this.#daysSeen = days;
      this.#seenAfterMsMax = Math.max(this.#seenAfterMsMax, Date.now() - atMs);
    }
  }

  async #askEverything(): Promise<void> {
    const { history } = this.#plan;
    for (const tenant of history.tenants)
      for (let day = 0; day < history.days; day++)
        for (const resolution of ['0s', '5m', '1h']) await this.#ask(tenant, day, 1, resolution);
  }

  /** Sums over whole days; a sum tells of every sample, raw or in a window. */
  async #ask(tenant: string, day: number, days: number, resolution: string): Promise<void> {
    const { history } = this.#plan;
    const from = history.startMs + day * DAY_MS;
    const to = from + days * DAY_MS;
    const query = new URLSearchParams({
      query: `sum(sum_over_time(soak[${days}d]))`,
      // Windows are at their ends, and ranges are open on the left.
      time: String((to - 1) / 1000),
      max_source_resolution: resolution,
    });
    const response = await fetch(`${this.#store?.url}/api/v1/query?${query}`, {
      headers: { 'x-scope-orgid': tenant },
    }).catch(() => undefined);
    const body = (await response?.json().catch(() => undefined)) as Answer | undefined;
    if (body?.status !== 'success') {
      this.#unanswered++;
      this.#plan.log(`not answered: ${JSON.stringify(body)?.slice(0, 300)}`);
      return;
    }
    this.#answers++;
    const found = Number(body.data.result[0]?.value[1] ?? 0);
    const wrong = this.#compare(tenant, from, to, resolution, found);
    if (!wrong) return;
    const text = `${tenant}, days ${day} … ${day + days - 1} at ${resolution}: ${wrong}`;
    this.#plan.log(text);
    this.#differences.push(text);
  }

  /** What is over may be gone or not; what is not over must be there, and nothing twice. */
  #compare(tenant: string, from: number, to: number, resolution: string, found: number): string | undefined {
    const { history, rawDays, fiveMinutesDays } = this.#plan;
    const whole = history.total(tenant, from, to).sum;
    const keptDays =
      resolution === '0s' ? rawDays : resolution === '5m' ? fiveMinutesDays : Number.POSITIVE_INFINITY;
    const keptFrom = Date.now() - keptDays * DAY_MS + 60_000;
    const least = from >= keptFrom ? whole : history.total(tenant, Math.max(from, ceilTo(keptFrom)), to).sum;
    if (found > whole) return `${found}, but all there ever was is ${whole}`;
    return found < (keptFrom >= to ? 0 : least) ? `${found}, at least ${least} must be there` : undefined;
  }

  /** Until the compactor has nothing to do and what was marked is gone. */
  async #rest(): Promise<void> {
    const deadline = Date.now() + REST_MS_MAX;
    for (let quiet = 0; quiet < 3; ) {
      if (Date.now() > deadline) return;
      await sleep(1_000);
      const isQuiet = (await garbageIn(this.#plan.bucket)).length === 0 && (await this.#todo()) === 0;
      quiet = isQuiet ? quiet + 1 : 0;
    }
  }

  /** Jobs that the compactor has to do; not a number before a whole round of it went well. */
  async #todo(): Promise<number> {
    const read = async (path: string) => (await fetch(`${this.#compactor?.url}${path}`)).text();
    if (!/last_successful_round_timestamp_seconds [1-9]/.test(await read('/metrics'))) return Number.NaN;
    return Number(/^to do: (\d+) jobs/.exec(await read('/compactor'))?.[1] ?? Number.NaN);
  }

  async #result(): Promise<SoakResult> {
    const { blocks, garbage } = await lookAt(this.#plan.bucket);
    return {
      blocks: this.#blocks,
      kills: this.#kills,
      answers: this.#answers,
      unanswered: this.#unanswered,
      seenAfterMsMax: this.#seenAfterMsMax,
      differences: this.#differences,
      blocksLeft: blocks,
      garbage,
    };
  }
}

interface Answer {
  readonly status: string;
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

/** Raw samples go by whole blocks of a day at the most. */
function ceilTo(t: number): number {
  return Math.ceil(t / DAY_MS) * DAY_MS;
}

async function garbageIn(bucket: Bucket): Promise<readonly string[]> {
  return (await lookAt(bucket)).garbage;
}

/** Blocks with a `meta.json`, and keys of marks and of folders without one. */
async function lookAt(
  bucket: Bucket,
): Promise<{ readonly blocks: number; readonly garbage: readonly string[] }> {
  const keys: string[] = [];
  for await (const { key } of bucket.list({ signal: new AbortController().signal }, '', { recursive: true }))
    if (!key.endsWith('/bucket-index.json.gz')) keys.push(key);
  const whole = new Set(keys.filter((key) => key.endsWith('/meta.json')).map((key) => key.slice(0, -10)));
  const garbage = keys.filter(
    (key) => key.endsWith('-mark.json') || !whole.has(key.split('/').slice(0, 2).join('/')),
  );
  return { blocks: whole.size, garbage };
}
