import { VeronaError } from '../model/errors.ts';
import type { SeriesTarget, SeriesWriter, WriteCounts } from '../storage/series-writer.ts';
import { itemCount, type PushContext } from './remote-write-handler.ts';
import { LimitPolicy } from './series-policy.ts';

/** Takes what was scraped into a tenant, within its limits of rate, labels and series. */
export class ScrapedWrites implements SeriesWriter {
  readonly #context: PushContext;
  readonly #tenant: string;

  constructor(context: PushContext, tenant: string) {
    this.#context = context;
    this.#tenant = tenant;
  }

  async write<T extends WriteCounts>(apply: (target: SeriesTarget) => T): Promise<T> {
    const { tenants, rates, metrics } = this.#context;
    const tenant = this.#tenant;
    const limits = this.#context.limits.of(tenant);
    if (rates.waitMs(tenant, limits.ingestionRate, limits.ingestionBurstSize) > 0) {
      metrics.countRateLimited(tenant);
      throw new VeronaError(
        'rate_limited',
        `the tenant's limit of ${limits.ingestionRate} samples a second is exceeded`,
      );
    }
    const policy = new LimitPolicy(limits);
    const counts = await (await tenants.open(tenant)).writeSeries(policy, apply);
    metrics.countWrite(tenant, 'scrape', counts, policy);
    rates.take(tenant, itemCount(counts));
    return counts;
  }
}
