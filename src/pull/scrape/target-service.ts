import { formatDuration } from '../../model/duration.ts';
import type { StreamingService } from '../../storeapi/grpc-server.ts';
import type {
  WireActiveTarget,
  WireDroppedTarget,
  WireTargetsRequest,
  WireTimestamp,
} from '../../storeapi/service-messages.ts';
import { writeLabelSet } from '../../storeapi/wire-requests.ts';
import type { ScrapePool } from './scrape-pool.ts';
import type { ScrapeTarget } from './target.ts';

const STATE = { any: 0, active: 1, dropped: 2 } as const;
const HEALTH = { down: 0, up: 1, unknown: 2 } as const;
/** What Go has for a time that never was. */
const NEVER: WireTimestamp = { seconds: -62_135_596_800, nanos: 0 };

/** The targets that are scraped for one tenant, as `thanos.Targets` has them. */
export function targetService(owner: string, pools: () => readonly ScrapePool[]): StreamingService {
  return {
    service: 'targets',
    methods: {
      async *Targets(tenant: string, { state }: WireTargetsRequest) {
        if (tenant !== owner) return;
        const activeTargets =
          state === STATE.dropped
            ? []
            : pools().flatMap((pool) => pool.targets.map((target) => activeTarget(pool, target)));
        const droppedTargets = state === STATE.active ? [] : pools().flatMap(droppedTargetsOf);
        yield { targets: { activeTargets, droppedTargets } };
      },
    },
  };
}

function activeTarget({ job }: ScrapePool, target: ScrapeTarget): WireActiveTarget {
  return {
    discoveredLabels: writeLabelSet(target.discovered),
    labels: writeLabelSet(target.labels),
    scrapePool: job.job_name,
    scrapeUrl: target.url,
    globalUrl: target.url,
    lastError: target.lastError,
    lastScrape: timestamp(target.lastScrape),
    lastScrapeDuration: target.lastDurationMs / 1000,
    health: HEALTH[target.health],
    scrapeInterval: formatDuration(target.intervalMs),
    scrapeTimeout: formatDuration(target.timeoutMs),
  };
}

function droppedTargetsOf({ job, dropped }: ScrapePool): WireDroppedTarget[] {
  return dropped.map((labels) => ({ discoveredLabels: writeLabelSet(labels), scrapePool: job.job_name }));
}

function timestamp(ms: number): WireTimestamp {
  return ms === 0 ? NEVER : { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}
