import type { BatchDecoder } from '../chunkenc/batch-decoder.ts';
import { decodeLabels } from '../encoding/label-bytes.ts';
import { formatFloat } from '../encoding/number-text.ts';
import { compareLabels, compareStrings, type Labels, METRIC_NAME } from '../model/labels.ts';
import { isStale } from '../model/sample.ts';
import type { Queryable } from '../storage/querier.ts';
import type { PlainMatcher } from './jobs.ts';
import { toMatcher } from './label-answers.ts';
import type { Answer } from './thread-protocol.ts';

interface Line {
  readonly labels: Labels;
  readonly t: number;
  readonly v: number;
}

/**
 * `/federate`: the newest sample of every matching series that is not stale and not older than the lookback delta, in
 * the text format, as Prometheus: untyped, grouped by metric. Native histograms have no text form and are left out.
 */
export async function answerFederate(
  job: { readonly matcherSets: readonly (readonly PlainMatcher[])[]; readonly timeMs: number },
  queryable: Queryable,
  decoder: BatchDecoder,
  lookbackDeltaMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  const mint = job.timeMs - lookbackDeltaMs + 1;
  const querier = await queryable.querier(mint, job.timeMs);
  const found = new Map<string, Line>();
  try {
    for (const set of job.matcherSets) {
      const request = { matchers: set.map(toMatcher), mint, maxt: job.timeMs, sorted: false };
      for await (const batch of querier.select({ signal }, request)) {
        decoder.open(batch);
        for (let i = 0; i < batch.seriesCount; i++) {
          const { count, timestamps, values } = decoder.floats(i, mint, job.timeMs, true);
          if (count === 0 || isStale(values[count - 1])) continue;
          const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
          found.set(labels.key(), { labels, t: timestamps[count - 1], v: values[count - 1] });
        }
      }
    }
  } finally {
    await querier.close();
  }
  const body = new TextEncoder().encode(toText([...found.values()]));
  return {
    status: 200,
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    parts: [body],
  };
}

function toText(lines: Line[]): string {
  lines.sort(
    (a, b) =>
      compareStrings(a.labels.get(METRIC_NAME), b.labels.get(METRIC_NAME)) ||
      compareLabels(a.labels, b.labels),
  );
  let text = '';
  let metric: string | undefined;
  for (const { labels, t, v } of lines) {
    const name = labels.get(METRIC_NAME);
    if (name !== metric) {
      text += `# TYPE ${writtenName(name)} untyped\n`;
      metric = name;
    }
    text += `${seriesText(name, labels)} ${formatFloat(v)} ${t}\n`;
  }
  return text;
}

const LEGACY_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LEGACY_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Names beyond the classic alphabet stand quoted inside the braces. */
function seriesText(name: string, labels: Labels): string {
  const pairs: string[] = LEGACY_METRIC.test(name) ? [] : [quoted(name)];
  for (const [key, value] of labels)
    if (key !== METRIC_NAME) pairs.push(`${LEGACY_LABEL.test(key) ? key : quoted(key)}=${quoted(value)}`);
  // An empty label keeps the scraper with `honor_labels` from writing the address of this process into its place.
  if (labels.get('instance') === '') pairs.push('instance=""');
  const head = LEGACY_METRIC.test(name) ? name : '';
  return pairs.length > 0 ? `${head}{${pairs.join(',')}}` : head;
}

function writtenName(name: string): string {
  return LEGACY_METRIC.test(name) ? name : quoted(name);
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')}"`;
}
