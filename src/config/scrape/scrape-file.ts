import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { VeronaError } from '../../model/errors.ts';
import { Labels } from '../../model/labels.ts';
import { type ConfigSource, parseYamlTexts } from '../yaml-file.ts';
import { duration, listOf, mapOf, optional, text } from './fields.ts';
import { type ScrapeJob, timingProblem, toJob } from './job.ts';
import {
  relabelProblem,
  type ScrapeConfig,
  type SharedSettings,
  scrapeConfig,
  sharedShape,
} from './scrape-config.ts';

/** Parts of Prometheus' file that are for things other than scraping. */
const OTHER_PARTS = [
  'rule_files',
  'alerting',
  'remote_write',
  'remote_read',
  'storage',
  'tracing',
  'otlp',
  'runtime',
] as const;
const OTHER_GLOBALS = [
  'evaluation_interval',
  'rule_query_offset',
  'query_log_file',
  'scrape_failure_log_file',
] as const;

const INCLUDE_PATTERN = /^[^*]*(\*[^/]*)?$/;

const globalSection = z.strictObject({
  ...sharedShape,
  external_labels: mapOf(text),
  evaluation_interval: optional(duration),
  rule_query_offset: optional(duration),
  query_log_file: optional(text),
});

const fileSchema = z.strictObject({
  global: z.preprocess((value) => value || {}, globalSection),
  scrape_configs: listOf(scrapeConfig),
  scrape_config_files: listOf(text.regex(INCLUDE_PATTERN, 'not a path with a star in its name at most')),
  ...Object.fromEntries(OTHER_PARTS.map((name) => [name, z.unknown().optional()])),
});

const includedSchema = z.strictObject({ scrape_configs: listOf(scrapeConfig) });

/** What is to be scraped, and how. */
export interface ScrapeFile {
  readonly jobs: readonly ScrapeJob[];
  readonly externalLabels: Labels;
  /** Parts of the file that mean nothing here, in its words. */
  readonly notUsed: readonly string[];
}

/** Reads files that a file includes: a path, perhaps with a star in its name, below the folder of the file. */
export type ReadIncluded = (pattern: string) => Promise<readonly ConfigSource[]>;

/**
 * Prometheus' configuration file, of which the scraping counts. Paths in it are relative to `dir`. Throws `bad_data` with
 * every problem on a line of its own: file, line and column in front.
 */
export async function loadScrapeFile(
  source: ConfigSource,
  dir: string,
  environment: Readonly<Record<string, string | undefined>>,
  readIncluded: ReadIncluded,
): Promise<ScrapeFile> {
  const { values, positionOf } = parseYamlTexts(source);
  const file = parse(fileSchema, values ?? {}, positionOf);
  const global: SharedSettings = file.global;
  const names = new Map<string, string>();
  const timing = timingProblem(global, {});
  if (timing !== undefined) throw problemAt(positionOf, ['global', 'scrape_timeout'], `global ${timing}`);
  const jobs = file.scrape_configs.map((config, i) =>
    checkedJob(config, global, source.file, names, (path, message) =>
      problemAt(positionOf, ['scrape_configs', i, ...path], message),
    ),
  );
  const all = jobs.map((job) => withPaths(job, dir));
  for (const pattern of file.scrape_config_files)
    for (const included of await readIncluded(isAbsolute(pattern) ? pattern : join(dir, pattern)))
      all.push(...includedJobs(included, global, names));
  return {
    jobs: all,
    externalLabels: Labels.from(
      Object.entries(file.global.external_labels).map(
        ([name, value]) => [name, expand(value, environment)] as const,
      ),
    ),
    notUsed: [
      ...OTHER_PARTS.filter((name) => isGiven((file as Record<string, unknown>)[name])),
      ...OTHER_GLOBALS.filter((name) => file.global[name] !== undefined).map((name) => `global.${name}`),
      ...(all.some((job) => job.enable_http2 === true) ? ['enable_http2'] : []),
    ],
  };
}

function includedJobs(source: ConfigSource, global: SharedSettings, names: Map<string, string>): ScrapeJob[] {
  const { values, positionOf } = parseYamlTexts(source);
  const file = parse(includedSchema, values ?? {}, positionOf);
  const dir = source.file.slice(0, Math.max(0, source.file.lastIndexOf('/')));
  return file.scrape_configs.map((config, i) =>
    withPaths(
      checkedJob(config, global, source.file, names, (path, message) =>
        problemAt(positionOf, ['scrape_configs', i, ...path], message),
      ),
      dir,
    ),
  );
}

type Position = ReturnType<typeof parseYamlTexts>['positionOf'];

function parse<T extends z.ZodType>(schema: T, values: unknown, positionOf: Position): z.output<T> {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  throw new VeronaError(
    'bad_data',
    parsed.error.issues.map((issue) => `${positionOf(issue)}: ${describe(issue)}`).join('\n'),
  );
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return where === '' ? issue.message : `${where}: ${issue.message}`;
  const [key] = issue.keys;
  const path = [...issue.path, key].join('.');
  if (key.endsWith('_sd_configs'))
    return `${path}: this kind of discovery is not built in; file_sd_configs and http_sd_configs take targets from anywhere`;
  return `unknown key ${path}`;
}

function problemAt(positionOf: Position, path: (string | number)[], message: string): VeronaError {
  const issue = { code: 'custom', path, message } as z.core.$ZodIssue;
  return new VeronaError('bad_data', `${positionOf(issue)}: ${describe(issue)}`);
}

/** Checks of a job that need the global settings or the other jobs. */
function checkedJob(
  config: ScrapeConfig,
  global: SharedSettings,
  file: string,
  names: Map<string, string>,
  problem: (path: (string | number)[], message: string) => VeronaError,
): ScrapeJob {
  const first = names.get(config.job_name);
  if (first !== undefined)
    throw problem(
      ['job_name'],
      `found multiple scrape configs with job name ${JSON.stringify(config.job_name)}, the first one in ${first}`,
    );
  names.set(config.job_name, file);
  const timing = timingProblem(config, global);
  if (timing !== undefined) throw problem(['scrape_timeout'], timing);
  const job = toJob(config, global);
  if (config.metric_name_escaping_scheme === 'allow-utf-8' && job.metric_name_validation_scheme === 'legacy')
    throw problem(
      ['metric_name_escaping_scheme'],
      'utf8 metric names requested but the validation scheme is not utf8',
    );
  for (const name of ['relabel_configs', 'metric_relabel_configs'] as const) {
    const found = relabelProblem(config[name], job.metric_name_validation_scheme);
    if (found !== undefined) throw problem([name, found.index], found.message);
  }
  if (config.relabel_configs.length === 0) checkStaticTargets(config, problem);
  return job;
}

function checkStaticTargets(
  config: ScrapeConfig,
  problem: (path: (string | number)[], message: string) => VeronaError,
): void {
  for (const [i, { targets }] of config.static_configs.entries())
    for (const [k, target] of targets.entries())
      if (target.includes('/'))
        throw problem(
          ['static_configs', i, 'targets', k],
          `${JSON.stringify(target)} is not a valid hostname`,
        );
}

const PATH_KEYS = /(^|_)file$/;

/** Every path of a job below its folder: values of keys that end in `file`, and the lists `files`. */
function withPaths<T>(value: T, dir: string): T {
  const locate = (path: unknown) =>
    typeof path === 'string' && path !== '' && !isAbsolute(path) ? join(dir, path) : path;
  const walk = (node: unknown, key: string): unknown => {
    if (typeof node === 'string') return PATH_KEYS.test(key) || key === 'files' ? locate(node) : node;
    if (Array.isArray(node)) return node.map((item) => walk(item, key));
    if (node === null || typeof node !== 'object') return node;
    // Names of labels, parameters and headers are the user's.
    const isOfUser = key === 'labels' || key === 'params' || key === 'endpoint_params';
    return Object.fromEntries(
      Object.entries(node).map(([name, item]) => [name, isOfUser ? item : walk(item, name)]),
    );
  };
  return walk(value, '') as T;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
}

/** `$NAME` and `${NAME}` out of the environment, `$$` for a dollar, as Prometheus does it in external labels. */
function expand(value: string, environment: Readonly<Record<string, string | undefined>>): string {
  return value.replace(/\$(?:\$|\{([^}]*)\}|(\w+))/g, (whole, braced?: string, plain?: string) =>
    whole === '$$' ? '$' : (environment[braced ?? plain ?? ''] ?? ''),
  );
}
