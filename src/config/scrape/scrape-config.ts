import { z } from 'zod';
import { Relabeler } from '../../model/relabel.ts';
import { type NameScheme, RELABEL_ACTIONS, type RelabelRule } from '../../model/relabel-rule.ts';
import { discoveryShape } from './discovery.ts';
import { count, duration, flag, float, listOf, modulus, oneOf, optional, size, text } from './fields.ts';
import { checkHttpClient, httpClientShape } from './http-client.ts';

export const SCRAPE_PROTOCOLS = [
  'PrometheusProto',
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
] as const;
export type ScrapeProtocol = (typeof SCRAPE_PROTOCOLS)[number];
export const ESCAPING_SCHEMES = ['allow-utf-8', 'underscores', 'dots', 'values'] as const;

/** One entry of `relabel_configs`. */
export const relabelConfig = z
  .strictObject({
    source_labels: optional(listOf(text)),
    separator: text.optional(),
    regex: text.optional(),
    modulus: optional(modulus),
    target_label: optional(text),
    replacement: text.optional(),
    action: optional(text),
  })
  .transform((given, context): RelabelRule => {
    const action = RELABEL_ACTIONS.find((one) => one === (given.action ?? 'replace').toLowerCase());
    if (action === undefined)
      context.addIssue({
        code: 'custom',
        path: ['action'],
        message: `unknown relabel action ${JSON.stringify(given.action)}`,
      });
    return {
      action,
      sourceLabels: given.source_labels,
      separator: given.separator,
      regex: given.regex,
      modulus: given.modulus,
      targetLabel: given.target_label,
      replacement: given.replacement,
    };
  })
  .transform((rule): RelabelRule => {
    // What is absent has the default of the rule, which undefined would hide.
    const entries = Object.entries(rule).filter(([, value]) => value !== undefined);
    return Object.fromEntries(entries) as RelabelRule;
  });

const protocols = optional(z.array(oneOf(SCRAPE_PROTOCOLS)).min(1, 'cannot be empty')).refine(
  (list) => list === undefined || new Set(list).size === list.length,
  'a protocol is there twice',
);

/** Settings that a job has, and `global` for all jobs; absent and 0 mean the global one. */
export const sharedShape = {
  scrape_interval: optional(duration),
  scrape_timeout: optional(duration),
  scrape_protocols: protocols,
  body_size_limit: optional(size),
  sample_limit: optional(count),
  target_limit: optional(count),
  label_limit: optional(count),
  label_name_length_limit: optional(count),
  label_value_length_limit: optional(count),
  keep_dropped_targets: optional(count),
  metric_name_validation_scheme: optional(oneOf(['legacy', 'utf8'])),
  metric_name_escaping_scheme: optional(oneOf(ESCAPING_SCHEMES)),
  scrape_native_histograms: optional(flag),
  always_scrape_classic_histograms: optional(flag),
  convert_classic_histograms_to_nhcb: optional(flag),
  extra_scrape_metrics: optional(flag),
  scrape_failure_log_file: optional(text),
};

const shared = z.strictObject(sharedShape);
export type SharedSettings = z.output<typeof shared>;

/** One entry of `scrape_configs` as it stands in the file. */
export const scrapeConfig = z
  .strictObject({
    job_name: z.string({ error: 'is missing' }).min(1, 'is empty'),
    honor_labels: optional(flag),
    honor_timestamps: optional(flag),
    track_timestamps_staleness: optional(flag),
    params: z.preprocess((value) => value || {}, z.record(z.string(), listOf(text))),
    fallback_scrape_protocol: optional(oneOf(SCRAPE_PROTOCOLS)),
    scrape_classic_histograms: optional(flag),
    metrics_path: optional(text),
    scheme: optional(oneOf(['http', 'https'])),
    enable_compression: optional(flag),
    native_histogram_bucket_limit: optional(count),
    native_histogram_min_bucket_factor: optional(float),
    relabel_configs: listOf(relabelConfig),
    metric_relabel_configs: listOf(relabelConfig),
    ...sharedShape,
    ...httpClientShape,
    ...discoveryShape,
  })
  .superRefine(checkHttpClient);
export type ScrapeConfig = z.output<typeof scrapeConfig>;

/** The first rule that is none, if there is one: its number and why. */
export function relabelProblem(
  rules: readonly RelabelRule[],
  scheme: NameScheme,
): { readonly index: number; readonly message: string } | undefined {
  for (const [index, rule] of rules.entries())
    try {
      new Relabeler([rule], scheme);
    } catch (error) {
      return { index, message: (error as Error).message };
    }
  return undefined;
}
