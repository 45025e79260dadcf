import type { NameScheme } from '../../model/relabel-rule.ts';
import type { ESCAPING_SCHEMES, ScrapeConfig, ScrapeProtocol, SharedSettings } from './scrape-config.ts';

const INTERVAL_MS = 60_000;
const TIMEOUT_MS = 10_000;

type EscapingScheme = (typeof ESCAPING_SCHEMES)[number];

/** A scrape configuration with everything decided: what it leaves open is Prometheus' default or the global setting. */
export interface ScrapeJob extends Omit<ScrapeConfig, keyof SharedSettings | 'scrape_classic_histograms'> {
  readonly honor_labels: boolean;
  readonly honor_timestamps: boolean;
  readonly track_timestamps_staleness: boolean;
  readonly metrics_path: string;
  readonly scheme: 'http' | 'https';
  readonly enable_compression: boolean;
  readonly follow_redirects: boolean;
  readonly native_histogram_bucket_limit: number;
  readonly native_histogram_min_bucket_factor: number;
  readonly scrape_interval: number;
  readonly scrape_timeout: number;
  readonly scrape_protocols: readonly ScrapeProtocol[];
  readonly body_size_limit: number;
  readonly sample_limit: number;
  readonly target_limit: number;
  readonly label_limit: number;
  readonly label_name_length_limit: number;
  readonly label_value_length_limit: number;
  readonly keep_dropped_targets: number;
  readonly metric_name_validation_scheme: NameScheme;
  readonly metric_name_escaping_scheme: EscapingScheme;
  readonly scrape_native_histograms: boolean;
  readonly always_scrape_classic_histograms: boolean;
  readonly convert_classic_histograms_to_nhcb: boolean;
  readonly extra_scrape_metrics: boolean;
}

const TEXT_PROTOCOLS: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
];

/** What is wrong with settings that only make sense together; undefined when nothing is. */
export function timingProblem(settings: SharedSettings, global: SharedSettings): string | undefined {
  const interval = settings.scrape_interval || global.scrape_interval || INTERVAL_MS;
  return (settings.scrape_timeout ?? 0) > interval
    ? 'scrape timeout greater than scrape interval'
    : undefined;
}

export function toJob(config: ScrapeConfig, global: SharedSettings): ScrapeJob {
  const interval = config.scrape_interval || global.scrape_interval || INTERVAL_MS;
  const globalTimeout = global.scrape_timeout || Math.min(TIMEOUT_MS, global.scrape_interval || INTERVAL_MS);
  const native = config.scrape_native_histograms ?? global.scrape_native_histograms ?? false;
  const scheme = config.metric_name_validation_scheme ?? global.metric_name_validation_scheme ?? 'utf8';
  const { scrape_classic_histograms, ...rest } = config;
  return {
    ...rest,
    honor_labels: config.honor_labels ?? false,
    honor_timestamps: config.honor_timestamps ?? true,
    track_timestamps_staleness: config.track_timestamps_staleness ?? false,
    metrics_path: config.metrics_path ?? '/metrics',
    scheme: config.scheme ?? 'http',
    enable_compression: config.enable_compression ?? true,
    follow_redirects: config.follow_redirects ?? true,
    native_histogram_bucket_limit: config.native_histogram_bucket_limit ?? 0,
    native_histogram_min_bucket_factor: config.native_histogram_min_bucket_factor ?? 0,
    scrape_interval: interval,
    scrape_timeout: config.scrape_timeout || Math.min(globalTimeout, interval),
    scrape_protocols:
      config.scrape_protocols ??
      global.scrape_protocols ??
      (native ? ['PrometheusProto', ...TEXT_PROTOCOLS] : TEXT_PROTOCOLS),
    body_size_limit: config.body_size_limit || global.body_size_limit || 0,
    sample_limit: config.sample_limit || global.sample_limit || 0,
    target_limit: config.target_limit || global.target_limit || 0,
    label_limit: config.label_limit || global.label_limit || 0,
    label_name_length_limit: config.label_name_length_limit || global.label_name_length_limit || 0,
    label_value_length_limit: config.label_value_length_limit || global.label_value_length_limit || 0,
    keep_dropped_targets: config.keep_dropped_targets || global.keep_dropped_targets || 0,
    metric_name_validation_scheme: scheme,
    metric_name_escaping_scheme: escapingOf(config, global, scheme),
    scrape_native_histograms: native,
    always_scrape_classic_histograms:
      config.always_scrape_classic_histograms ??
      scrape_classic_histograms ??
      global.always_scrape_classic_histograms ??
      false,
    convert_classic_histograms_to_nhcb:
      config.convert_classic_histograms_to_nhcb ?? global.convert_classic_histograms_to_nhcb ?? false,
    extra_scrape_metrics: config.extra_scrape_metrics ?? global.extra_scrape_metrics ?? false,
  };
}

function escapingOf(config: ScrapeConfig, global: SharedSettings, scheme: NameScheme): EscapingScheme {
  const own = config.metric_name_escaping_scheme ?? global.metric_name_escaping_scheme;
  if (own !== undefined && !(own === 'allow-utf-8' && scheme === 'legacy')) return own;
  return scheme === 'legacy' ? 'underscores' : 'allow-utf-8';
}
