import { assertNever } from '../platform/assert.ts';
import type { Counter, Metrics } from '../platform/metrics.ts';
import type { AppendOutcome } from '../storage/appender.ts';
import type { WriteCounts } from '../storage/series-writer.ts';
import type { LimitPolicy } from './series-policy.ts';

/** What was sent and what of it was discarded, by tenant. */
export class PushMetrics {
  readonly #samples: Counter<'tenant'>;
  readonly #exemplars: Counter<'tenant'>;
  readonly #requests: Counter<'tenant' | 'protocol'>;
  readonly #discarded: Counter<'tenant' | 'reason'>;

  constructor(metrics: Metrics) {
    this.#requests = metrics.counter('verona_distributor_requests_total', 'Writes that were read.', [
      'tenant',
      'protocol',
    ]);
    this.#samples = metrics.counter(
      'verona_distributor_received_samples_total',
      'Samples and histograms received, stored or not.',
      ['tenant'],
    );
    this.#exemplars = metrics.counter(
      'verona_distributor_received_exemplars_total',
      'Exemplars received and stored.',
      ['tenant'],
    );
    this.#discarded = metrics.counter(
      'verona_discarded_samples_total',
      'Samples, histograms and exemplars that were refused, and requests refused for their rate.',
      ['tenant', 'reason'],
    );
  }

  countWrite(
    tenant: string,
    protocol: 'rw1' | 'rw2' | 'otlp' | 'scrape',
    result: WriteCounts,
    policy: LimitPolicy,
  ): void {
    this.#requests.inc({ tenant, protocol });
    this.#exemplars.inc({ tenant }, result.exemplars);
    let refused = 0;
    for (const [outcome, count] of result.refusedCounts) {
      if (outcome !== 'invalid_exemplar') refused += count;
      if (outcome === 'invalid_labels') this.#countInvalidLabels(tenant, count, policy);
      else this.#discarded.inc({ tenant, reason: discardReason(outcome) }, count);
    }
    this.#samples.inc({ tenant }, result.samples + result.histograms + refused);
  }

  /** The policy counted series, the result counts samples: series by reason, and the rest to the last reason. */
  #countInvalidLabels(tenant: string, count: number, policy: LimitPolicy): void {
    let rest = count;
    let last = 'label_invalid';
    for (const [reason, series] of policy.refusedSeries) {
      const part = Math.min(rest, series);
      this.#discarded.inc({ tenant, reason }, part);
      rest -= part;
      last = reason;
    }
    if (rest > 0) this.#discarded.inc({ tenant, reason: last }, rest);
  }

  countRateLimited(tenant: string): void {
    this.#discarded.inc({ tenant, reason: 'rate_limited' });
  }
}

/** Cortex' name of an outcome. */
function discardReason(outcome: AppendOutcome): string {
  switch (outcome) {
    case 'out_of_order':
      return 'sample-out-of-order';
    case 'too_old':
      return 'sample-too-old';
    case 'out_of_bounds':
      return 'sample-out-of-bounds';
    case 'duplicate_value':
      return 'new-value-for-timestamp';
    case 'too_far_future':
      return 'too_far_in_future';
    case 'series_limit':
      return 'per_user_series_limit';
    case 'invalid_histogram':
      return 'native_histogram_invalid';
    case 'invalid_exemplar':
      return 'exemplar_invalid';
    case 'invalid_labels':
      return 'label_invalid';
    case 'ok':
    case 'duplicate':
      return 'none';
    default:
      return assertNever(outcome);
  }
}
