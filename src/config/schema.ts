import { z } from 'zod';
import {
  choice,
  choices,
  duration,
  flag,
  integer,
  list,
  ordinal,
  section,
  size,
  spans,
  text,
} from './fields.ts';
import { limitShape, overrideShape } from './limits.ts';

const http = section('The HTTP listener: writes, queries, health and metrics.', {
  listen_address: text(
    '127.0.0.1:9009',
    'Host and port to listen on. Beyond loopback everybody who can connect can read and write every tenant, unless `web.config_file` says who may.',
  ),
  cors_origin: text(
    '',
    'RE2 expression, anchored, of the web origins whose pages may ask from a browser (Prometheus has `.*`); empty for none.',
  ),
  enable_admin_api: flag(
    false,
    'Let clients delete series (`/api/v1/admin/tsdb/delete_series`), as Prometheus’ flag of that name.',
  ),
  request_timeout: duration('2m', 'A client must have sent its whole request within this time.'),
  max_connections: integer(2048, 1, 'Connections open at once; further ones are refused.'),
  max_request_bytes_in_flight: size(
    '512MiB',
    'What the bodies of all requests under way may take together, as sent; further ones are refused with 503 and `Retry-After`.',
  ),
  shutdown_timeout: duration('30s', 'How long a stop waits for requests that are under way.'),
});

const grpc = section("The gRPC listener: Thanos' StoreAPI and its siblings.", {
  enabled: flag(true, 'Listen. A Thanos querier, or another Verona, can then read what is kept here.'),
  listen_address: text(
    '127.0.0.1:9095',
    'Host and port to listen on. Beyond loopback, without a token or client certificates, everybody who can connect can read every tenant; what `web.config_file` says of users and tokens is for HTTP only.',
  ),
  config_file: text(
    '',
    'A file in the form of `web.config_file` with TLS, users and tokens of this listener, in place of the following four; what it says of HTTP headers and open paths does not concern gRPC. It and the files it names, as those of the following four, are read again when they change.',
  ),
  tls_cert_file: text('', 'PEM file with the certificate chain of the listener; empty for no TLS.'),
  tls_key_file: text('', 'PEM file with its key.'),
  tls_client_ca_file: text(
    '',
    'PEM file; with it only clients that show a certificate of these authorities are let in.',
  ),
  bearer_token_file: text('', 'File with a token that every call must carry (`authorization: Bearer …`).'),
  max_message_size: size('64MiB', 'A request beyond it is refused.'),
  max_streams: integer(1000, 1, 'Calls at once on one connection.'),
  external_labels: list(
    'Labels that everything served from here gets, as `name=value`, so that a querier can tell it from other sources.',
  ),
  tenant_label: text('tenant_id', 'Label that names the tenant of every series; empty for none.'),
});

const web = section('TLS and credentials of the HTTP listener.', {
  config_file: text(
    '',
    'A file in the form of Prometheus’ `--web.config.file` (which is also the name of this flag): certificates, users, tokens. See operating.md.',
  ),
});

const tsdb = section('The storage engine: write-ahead log, head and local blocks of each tenant.', {
  block_duration: duration(
    '2h',
    'Span of one block; the head becomes a block when it spans half as much again.',
  ),
  retention_time: duration(
    '24h',
    'Local blocks older than this leave the disk once they are in the bucket; without a bucket their data are gone then.',
  ),
  retention_size: size(
    '0',
    'Oldest local blocks leave the disk beyond this size per tenant; 0 for no limit.',
  ),
  wal_segment_size: size('128MiB', 'Size of one segment of the write-ahead log.'),
  wal_fsync: choice(
    ['never', 'interval', 'always'],
    'never',
    'When the log is forced to stable storage: with each segment only, as Prometheus does; at an interval; before every answer.',
  ),
  wal_fsync_interval: duration('1s', 'The interval for `wal_fsync: interval`.'),
  wal_compression: flag(true, 'Compress records of the write-ahead log with snappy.'),
  out_of_order_time_window: duration(
    '0s',
    "How far behind the tenant's newest sample a late sample may be, for tenants whose limits set nothing else.",
  ),
  enable_feature: choices(
    ['st-storage', 'created-timestamp-zero-ingestion'],
    'Experimental features by the names Prometheus gives them: keep start timestamps of counters that remote write 2.0 and OTLP bring (in chunks that only Prometheus 3 reads), or put a zero where they begin.',
  ),
  max_tenants: integer(1000, 1, 'Tenants with a head in this process; a write for a further one is refused.'),
});

const query = section('Queries: how they are evaluated and how much they may use.', {
  threads: integer(0, 0, 'Threads that evaluate queries; 0 for one per processor.'),
  max_concurrency: integer(20, 1, 'Queries evaluated at once; further ones wait.'),
  max_queued: integer(200, 0, 'Queries that may wait; further ones are refused with 503.'),
  timeout: duration('2m', 'A query that takes longer is ended.'),
  lookback_delta: duration('5m', 'How far back an instant selector looks for the newest sample.'),
  active_series_window: duration(
    '20m',
    'A series is active when its newest sample is no older, for `/api/v1/cardinality/…`.',
  ),
  max_samples: integer(50_000_000, 1, 'Samples one query may hold in memory.'),
  max_bytes: size('2GiB', 'Bytes of samples one query may hold in memory.'),
  max_bytes_of_all: size(
    '4GiB',
    'Bytes of samples that all queries together may hold in memory; 0 for no limit.',
  ),
  log_file: text(
    '',
    'A file that gets a line of JSON for every query, as Prometheus’ `query_log_file`; opened again at a reload. Empty for none.',
  ),
  log_queries_longer_than: duration('10s', 'A query that runs longer is a warning in the log; 0 for none.'),
  mode: choice(
    ['local', 'distributed'],
    'local',
    'Where aggregations are evaluated: here, or at the endpoints that evaluate PromQL and whose series no other source has.',
  ),
  replica_label: list(
    'Labels that tell replicas of the same series apart; series that differ in these only are answered as one.',
  ),
  deduplication: choice(
    ['fill', 'penalty', 'chain'],
    'fill',
    'How replicas become one: gaps of the first are filled by the others; as Thanos does it; every sample of all.',
  ),
  partial_response: flag(
    true,
    'Answer with a warning when a store cannot be asked, instead of failing. A request decides with `partial_response`; remote read and federation, whose answers carry no warnings, fail unless it does.',
  ),
  auto_downsampling: flag(
    false,
    'Ask for data a fifth of the step apart where a range query does not say `max_source_resolution`, as Thanos’ flag of that name. Without it raw data come first.',
  ),
  enable_feature: choices(
    [
      'promql-experimental-functions',
      'promql-duration-expr',
      'promql-extended-range-selectors',
      'promql-binop-fill-modifiers',
      'promql-delayed-name-removal',
      'promql-per-step-stats',
      'use-start-timestamps',
      'type-and-unit-labels',
    ],
    'Experimental features of PromQL by the names Prometheus gives them, all off as there; `promql-duration-expr` is no experiment any more and always on.',
  ),
});

const endpoint = section(
  'Other stores that queries ask too: Thanos sidecars, store gateways and receivers, other Veronas.',
  {
    address: list(
      'StoreAPI endpoints, `host:port`; with `dns+`, `dnssrv+` or `dnssrvnoa+` in front the name is looked up again and again.',
    ),
    strict: list('Endpoints that are always asked, also while they do not answer health checks.'),
    group: list(
      'Names of groups: all addresses that one stands for hold the same, and each request goes to one of them in turn, to the next when that one fails.',
    ),
    group_strict: list('Groups that are always asked, also while no member answers health checks.'),
    sd_config_file: text(
      '',
      'YAML file with `endpoints` (`address`, `strict`, `group`), as Thanos has it, or with `targets` as Prometheus’ file discovery has them. Read again with each check.',
    ),
    check_interval: duration(
      '5s',
      'How often each endpoint is asked what it holds, and names are looked up.',
    ),
    check_timeout: duration('5s', 'A check, or a request for labels, that takes longer has failed.'),
    unhealthy_timeout: duration(
      '5m',
      'An endpoint that did not answer for so long is no longer missed, unless it is strict.',
    ),
    response_timeout: duration(
      '1m',
      'A store that gives nothing for so long during a query has failed; 0s for no limit.',
    ),
    hedge_after: duration(
      '0s',
      'A member of a group that gives nothing for so long is asked beside the next one, and the first answer counts; 0s for never.',
    ),
    tenant: text(
      '',
      'The tenant whose queries ask them; empty for the default tenant. Endpoints do not keep tenants apart by themselves.',
    ),
    enforce_tenancy: flag(
      false,
      'Let every tenant ask them, and add to each request the matcher that the series carry its tenant in `grpc.tenant_label`.',
    ),
    tls: flag(false, 'Connect with TLS.'),
    tls_ca_file: text('', 'PEM file with the authorities to trust; empty for those of the system.'),
    tls_cert_file: text('', 'PEM file with the certificate to show.'),
    tls_key_file: text('', 'PEM file with its key.'),
    tls_server_name: text(
      '',
      'Name that the certificate of an endpoint must have, if not the one in its address.',
    ),
    bearer_token_file: text('', 'File with a token to send with every call.'),
    compression: choice(['none', 'gzip'], 'none', 'Compression of answers.'),
    max_series: integer(10_000_000, 1, 'Series that one endpoint may give to one select.'),
    max_bytes: size('8GiB', 'Bytes that one endpoint may give to one select.'),
    max_message_size: size('256MiB', 'A message beyond it fails its call.'),
  },
);

const sidecar = section('The sidecar: stands beside one Prometheus (`verona sidecar`).', {
  prometheus_url: text('http://127.0.0.1:9090', 'Where Prometheus answers, with its path if it has one.'),
  http_client: text(
    '',
    'How Prometheus is asked, when it wants TLS or credentials: YAML text in the form of its `http_config` (`basic_auth`, `authorization`, `tls_config`, `proxy_url` …).',
  ),
  http_client_file: text('', 'A file with that YAML, instead of `http_client`.'),
  tsdb_path: text(
    '',
    "Prometheus' data folder; its finished blocks are uploaded to the bucket. Empty for no uploads.",
  ),
  check_interval: duration('30s', 'How often Prometheus is asked for its external labels and flags.'),
  ship_interval: duration('30s', 'How often finished blocks are looked for.'),
  min_time: text(
    '',
    'Data before this time (RFC 3339), or older than an age (`-30d`), are not served; empty for all that Prometheus has.',
  ),
  upload_compacted: flag(
    false,
    'Upload also blocks that Prometheus compacted: for moving a server that has old data.',
  ),
  ignore_unequal_block_size: flag(
    false,
    'Upload although Prometheus compacts locally; what it compacts before it is uploaded is lost to the bucket.',
  ),
});

const reloader = section(
  'The configuration reloader of `verona sidecar`: keeps Prometheus on its newest files, as that of Thanos’ sidecar.',
  {
    config_file: text('', 'Prometheus’ configuration, plain or gzip, to watch; empty for none.'),
    config_envsubst_file: text(
      '',
      'Where it is written for Prometheus with each `$(NAME)` replaced by the variable of the environment; empty when Prometheus reads `config_file` itself.',
    ),
    rule_dir: list('Folders with rule files and the like to watch, with all below them.'),
    watch_interval: duration(
      '3m',
      'Contents are compared at least this often; a changed size or time of a file is noticed within a second.',
    ),
    retry_interval: duration(
      '5s',
      'Before a failed reload is tried again; doubled with each failure, up to `watch_interval`.',
    ),
    method: choice(
      ['http', 'signal'],
      'http',
      'How Prometheus is told: `POST /-/reload` (it needs `--web.enable-lifecycle`), or SIGHUP to the processes called `process_name`. Both times it is asked whether it took the configuration.',
    ),
    process_name: text('prometheus', 'File name of the executable that gets the signal.'),
    tolerate_env_var_expansion_errors: flag(
      false,
      'Leave references to variables that are not set as they stand; otherwise they are an error, and the configuration stays as it was.',
    ),
  },
);

const objstore = section("The bucket that keeps the blocks, in Thanos' form (`type`, `config`, `prefix`).", {
  enabled: flag(true, 'Upload blocks and read them from there. Without it blocks stay on this disk only.'),
  config: text(
    '',
    "YAML text of the bucket's configuration. Empty with an empty `config_file`: a folder `bucket` in the data folder.",
  ),
  config_file: text('', 'A file with that YAML, instead of `config`.'),
  sync_interval: duration(
    '1m',
    'How often finished blocks are looked for and uploaded, and the bucket is listed.',
  ),
  consistency_delay: duration(
    '0s',
    'A block is not read before its upload is this old; for stores whose listings lag behind.',
  ),
  hedge_reads: flag(
    false,
    'Ask a second time for ranges that queries wait long for (longer than 95 of 100); at most one read in twenty is asked twice.',
  ),
  bucket_index_interval: duration(
    '15m',
    'How often `bucket-index.json.gz` of each tenant is written, for Cortex, Mimir and the next start; 0s for never.',
  ),
  thanos_tenant_label: text(
    '',
    "The external label that says which tenant a block in Thanos' layout (directly below the root) belongs to, such as Thanos' `tenant_id`.",
  ),
  thanos_tenant: text(
    '',
    "The tenant that owns the blocks in Thanos' layout that lack that label. With neither setting they are nobody's and are left alone.",
  ),
  ignore_deletion_marks_delay: duration('6h', 'Blocks marked for deletion are read for this long.'),
  selector_relabel_config: text(
    '',
    "YAML list of relabelling rules, as Thanos' `--selector.relabel-config`: queries do not read blocks that a rule drops by their external labels, or by `__block_id`; `hashmod` of that divides them among instances. Uploads and the compactor go on with all. Empty for all blocks.",
  ),
  selector_relabel_config_file: text('', 'A file with that YAML, instead of `selector_relabel_config`.'),
  min_time: text(
    '',
    'Queries read no blocks of before this time (RFC 3339), or older than an age (`-30d`); empty for all.',
  ),
  max_time: text('', 'Queries read no blocks of after this time, or younger than an age; empty for all.'),
});

const compactor = section('The compactor: joins, downsamples, expires and cleans up blocks in the bucket.', {
  enabled: flag(true, 'Do this in `verona all`.'),
  interval: duration('5m', 'How long it rests between two rounds over all tenants.'),
  concurrency: integer(1, 1, 'Jobs at once, each on a thread of its own.'),
  disk_reserve: size(
    '256MiB',
    'Disk space that jobs leave free. A job that would not fit waits for others to end, or is left for later.',
  ),
  block_ranges: spans(
    ['2h', '12h', '24h'],
    'Spans that blocks are joined into, each a multiple of the one before. Thanos has 2h,8h,2d,14d.',
  ),
  settle_delay: duration(
    '1h',
    'A span is compacted this long after its end, and an uploaded block this long after it was made, so that late ones and those of replicas are joined in one go.',
  ),
  replica_labels: list(
    'External labels that tell replicas of the same series apart; blocks that differ in these only are merged, and lose them.',
  ),
  dedup: choice(
    ['penalty', 'one-to-one'],
    'penalty',
    'How samples of replicas become one series: one replica at a time, the other in its gaps, as Thanos does; or all samples by time.',
  ),
  max_index_size: size(
    '16GiB',
    'When the indexes of the blocks to be joined are larger together, the result is split by series; 0 for never.',
  ),
  max_series: integer(
    0,
    0,
    'When one of the blocks to be joined has more series, the result is split; 0 for never.',
  ),
  max_blocks_per_job: integer(64, 2, 'Blocks joined in one go.'),
  downsample: flag(true, 'Make blocks of 5m and 1h resolution beside raw ones, in Thanos’ format.'),
  downsample_5m_after: duration(
    '40h',
    'Raw blocks that are compacted as far as they will be get their 5m block at this age; 0s for only those that span 40h, as in Thanos.',
  ),
  downsample_1h_after: duration(
    '10d',
    'The same for 1h blocks, made of 5m ones; 0s for only those that span 10d.',
  ),
  retention_selectors: list(
    'Series that leave the bucket earlier than others, as `[tenant:] {selector} duration`: `{env="dev"} 30d`, `team-a: {__name__=~"debug_.*"} 7d`. Blocks are rewritten without them once they are older as a whole.',
  ),
  deletion_delay: duration(
    '12h',
    'From the deletion mark of a block to its deletion; longer than readers take to learn of the mark and than `objstore.ignore_deletion_marks_delay`.',
  ),
  partial_upload_delay: duration(
    '48h',
    'Leftovers of uploads without a `meta.json` are removed at this age.',
  ),
  tenant_cleanup_delay: duration(
    '6h',
    'From the removal of a deleted tenant’s last block to that of its deletion mark, after which it may begin anew; longer than other processes take to learn of the mark, and than uploads under way.',
  ),
  instances: integer(1, 1, 'Compactors that share the bucket. Each does its share of tenants and jobs.'),
  instance: ordinal('Which of them this one is.'),
});

const storeGateway = section(
  'Reading blocks in the bucket, also by several processes that share it. See bucket.md.',
  {
    thread_memory: size(
      '576MiB',
      'What each query thread may hold of the bucket, about: two ninths each index-headers, postings lists, chunks read ahead and index-headers that are being made, one ninth pages of index-headers. See operating.md for what else there is.',
    ),
    instances: integer(
      1,
      1,
      'Processes that answer for the blocks in the bucket together, each for its share of time. All get the same settings but for `instance`.',
    ),
    instance: ordinal('Which of them this one is.'),
    replication_factor: integer(1, 1, 'How many of them answer for the same time, so that some may fail.'),
    span: duration(
      '24h',
      'Time is divided in pieces of this length. As long as the longest of `compactor.block_ranges`, each block is read by one of them; blocks that are longer by several.',
    ),
    unknown_block_delay: duration(
      '5m',
      'With a replication factor of 2 or more, blocks that stand in for others are read when their upload is this old, so that all know them: longer than two times `objstore.sync_interval`.',
    ),
  },
);

const selfMetrics = section("Verona's own metrics, kept in Verona.", {
  enabled: flag(true, 'Store them.'),
  interval: duration('15s', 'How often.'),
  tenant: text('anonymous', 'The tenant that gets them.'),
});

const scrape = section('Scraping: for those who have no Prometheus. See scraping.md.', {
  config_file: text(
    '',
    'A file in the form of `prometheus.yml`, whose `scrape_configs` say what to scrape (also `--scrape.config.file`). Read again at a reload. Empty for no scraping.',
  ),
  tenant: text('', 'The tenant that gets what is scraped; empty for the default tenant.'),
  max_concurrency: integer(512, 1, 'Scrapes under way at once; further ones wait.'),
  max_targets: integer(20_000, 1, 'Targets that are scraped; further ones are not, which the log says.'),
});

const otlp = section('OTLP metrics: how their names become Prometheus names.', {
  translation_strategy: choice(
    [
      'UnderscoreEscapingWithSuffixes',
      'UnderscoreEscapingWithoutSuffixes',
      'NoUTF8EscapingWithSuffixes',
      'NoTranslation',
    ],
    'UnderscoreEscapingWithSuffixes',
    "Prometheus' `otlp.translation_strategy`.",
  ),
  promote_resource_attributes: list('Resource attributes that become labels of every series.'),
});

/** Every setting. Keys of the YAML file are these names; a flag is the path with dots and dashes. */
export const configSchema = z.strictObject({
  data: section('Where everything on this disk lies.', {
    dir: text('./data', 'The data folder. Made when absent.'),
  }),
  http,
  grpc,
  web,
  log: section('What is said on standard error.', {
    level: choice(['debug', 'info', 'warn', 'error'], 'info', 'Lines below this level are not written.'),
    format: choice(['text', 'json'], 'text', 'Lines for people or for programs.'),
  }),
  tenant: section('Whose data it is.', {
    default: text('anonymous', 'The tenant of a request that names none.'),
  }),
  tsdb,
  query,
  endpoint,
  sidecar,
  reloader,
  objstore,
  cache: section(
    'A cache before the bucket, for what queries read of index and chunks, and for `meta.json` of blocks.',
    {
      config: text(
        '',
        'YAML text of the cache: `type` (IN-MEMORY, DISK, MEMCACHED or REDIS) and `config`. Empty for none.',
      ),
      config_file: text(
        '',
        "A file with that YAML, in the form of Thanos' `--store.caching-bucket.config-file`, instead of `config`.",
      ),
    },
  ),
  compactor,
  store_gateway: storeGateway,
  self_metrics: selfMetrics,
  scrape,
  otlp,
  tracing: section('Request traces.', {
    enabled: flag(
      false,
      'A span per HTTP request through `@opentelemetry/api`, which you install and set up (`node --import` of an SDK).',
    ),
  }),
  limits: section('What each tenant may do.', limitShape()),
  overrides: z
    .record(z.string(), z.strictObject(overrideShape()))
    .prefault({})
    .meta({ description: 'Limits of single tenants, by tenant.' }),
});

export type Config = z.output<typeof configSchema>;
