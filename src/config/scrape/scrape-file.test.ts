import { expect, test } from 'vitest';
import { loadScrapeFile } from './scrape-file.ts';

const load = (text: string, included: Record<string, string> = {}) =>
  loadScrapeFile({ file: 'prometheus.yml', text }, '/etc/p', { REGION: 'eu' }, async (pattern) =>
    Object.entries(included).map(([file, inner]) => ({ file: `${pattern} ${file}`, text: inner })),
  );

test('a whole prometheus.yml is read, and what is not about scraping is named', async () => {
  const file = await load(`
global:
  scrape_interval: 15s
  evaluation_interval: 30s
  external_labels: { region: $REGION, dollar: $$x, replica: "0" }
rule_files: [rules/*.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: [a:1] }] }] }
remote_write: [{ url: http://x }]
scrape_configs:
  - job_name: node
    scrape_timeout: 5s
    params: { collect: [cpu, 1] }
    static_configs: [{ targets: ["h:9100"], labels: { port: 8080, version: 1.10 } }]
    file_sd_configs: [{ files: [targets/*.json] }]
    basic_auth: { username: u, password_file: secret }
    relabel_configs:
      - { source_labels: [__address__], regex: "(.*):.*", target_label: host }
      - { action: labelmap, regex: __meta_(.+), replacement: "\${1}" }
      - { action: hashmod, source_labels: [host], modulus: 18446744073709551615, target_label: shard }
  - job_name: 123
`);
  const [node, other] = file.jobs;
  expect(file.notUsed).toEqual(['rule_files', 'alerting', 'remote_write', 'global.evaluation_interval']);
  expect(file.externalLabels.toJSON()).toEqual({ region: 'eu', dollar: '$x', replica: '0' });
  expect([node.scrape_interval, node.scrape_timeout, other.scrape_timeout]).toEqual([15_000, 5000, 10_000]);
  expect(node.params).toEqual({ collect: ['cpu', '1'] });
  expect(node.static_configs[0].labels).toEqual({ port: '8080', version: '1.10' });
  expect(node.file_sd_configs[0]).toEqual({ files: ['/etc/p/targets/*.json'], refresh_interval: 300_000 });
  expect(node.basic_auth?.password_file).toBe('/etc/p/secret');
  expect(node.relabel_configs[1]).toEqual({ action: 'labelmap', regex: '__meta_(.+)', replacement: '${1}' });
  expect(node.relabel_configs[2].modulus).toBe(2n ** 64n - 1n);
  expect(other.job_name).toBe('123');
});

test('global settings are those of jobs that have none', async () => {
  const { jobs } = await load(`
global: { sample_limit: 5, scrape_native_histograms: true, metric_name_validation_scheme: legacy }
scrape_configs:
  - { job_name: a }
  - { job_name: b, sample_limit: 7, scrape_protocols: [PrometheusText0.0.4], metric_name_validation_scheme: utf8 }
`);
  expect(
    jobs.map((job) => [job.sample_limit, job.scrape_protocols[0], job.metric_name_escaping_scheme]),
  ).toEqual([
    [5, 'PrometheusProto', 'underscores'],
    [7, 'PrometheusText0.0.4', 'allow-utf-8'],
  ]);
});

test('files are included, and a job is there once', async () => {
  const text = 'scrape_config_files: [more/*.yml]\nscrape_configs: [{ job_name: a }]';
  const file = await load(text, { x: 'scrape_configs: [{ job_name: b }]' });
  expect(file.jobs.map((job) => job.job_name)).toEqual(['a', 'b']);
  await expect(load(text, { x: 'scrape_configs:\n- job_name: a' })).rejects.toThrow(
    '/etc/p/more/*.yml x:2:13: scrape_configs.0.job_name: found multiple scrape configs with job name "a", the first one in prometheus.yml',
  );
});

test.each([
  [
    'scrape_configs:\n- job_name: a\n  nothing: 1',
    'prometheus.yml:3:3: unknown key scrape_configs.0.nothing',
  ],
  ['scrape_configs:\n- scheme: http', /prometheus.yml:2:3: scrape_configs.0.job_name/],
  ['scrape_configs: [{ job_name: a, scrape_interval: 5 }]', /not a duration, such as 15s or 1m: "5"/],
  ['scrape_configs: [{ job_name: a, scrape_timeout: 2m }]', /scrape timeout greater than scrape interval/],
  ['scrape_configs: [{ job_name: a, honor_labels: maybe }]', /honor_labels: not true or false: "maybe"/],
  ['scrape_configs: [{ job_name: a, consul_sd_configs: [] }]', /this kind of discovery is not built in/],
  ['scrape_configs: [{ job_name: a, static_configs: [{ targets: [http://x] }] }]', /is not a valid hostname/],
  [
    'scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n    regex: "("',
    /prometheus.yml:4:5: scrape_configs.0.relabel_configs.0: error parsing regexp/,
  ],
  ['scrape_configs: [{ job_name: a, relabel_configs: [{ action: nope }] }]', /unknown relabel action "nope"/],
  ['scrape_configs: [{ job_name: a, dns_sd_configs: [{ names: [x], type: A }] }]', /a port is required/],
  ['scrape_configs: [{ job_name: a, bearer_token: x, basic_auth: {} }]', /at most one of/],
  ['scrape_configs: [{ job_name: a, http_headers: { Host: { values: [x] } } }]', /cannot be set/],
  ['strange: 1', /unknown key strange/],
  ['scrape_configs: [', /prometheus.yml:1/],
])('%j is refused with its place', async (text, message) => {
  await expect(load(text)).rejects.toThrow(message);
});
