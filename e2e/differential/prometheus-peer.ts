import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Labels } from '../../src/model/labels.ts';
import type { Asked, CaseSeries } from '../../src/promql/differential/case.ts';
import type { Result } from '../../src/promql/differential/compare-outcomes.ts';
import type { Answer, AnswerSeries } from '../../src/promql/promqltest/harness.ts';
import { type Peer, startPrometheus } from '../peers.ts';
import { push } from '../push.ts';

type Point = readonly [seconds: number, value: string];

interface ApiSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Point;
  readonly values?: readonly Point[];
}

type ApiData =
  | { readonly resultType: 'scalar' | 'string'; readonly result: Point }
  | { readonly resultType: 'vector' | 'matrix'; readonly result: readonly ApiSeries[] };

type ApiResponse =
  | { readonly status: 'success'; readonly data: ApiData }
  | { readonly status: 'error'; readonly error: string };

/** A Prometheus 2.42 of its own that holds some series of floats. */
export class PrometheusPeer {
  readonly #folder: string;
  readonly #peer: Peer;

  private constructor(folder: string, peer: Peer) {
    this.#folder = folder;
    this.#peer = peer;
  }

  static async start(series: readonly CaseSeries[]): Promise<PrometheusPeer> {
    const folder = mkdtempSync(join(tmpdir(), 'verona-differential-'));
    const peer = await startPrometheus(folder);
    await push(
      peer.writeUrl,
      series.map(({ labels, samples }) => ({
        labels: labels.flat,
        // A staleness marker is lost in an array of numbers.
        samples: samples.map(({ t, v }) => ({ t, v: v as number, startT: 0 })),
        histograms: [],
        exemplars: [],
      })),
    );
    return new PrometheusPeer(folder, peer);
  }

  async ask(query: string, asked: Asked): Promise<Result> {
    const times: Record<string, string> =
      asked.kind === 'instant'
        ? { time: seconds(asked.t) }
        : { start: seconds(asked.start), end: seconds(asked.end), step: seconds(asked.step) };
    const path = asked.kind === 'instant' ? 'query' : 'query_range';
    const body = new URLSearchParams({ query: inWordsOf2(query), ...times });
    const response = await fetch(`${this.#peer.url}/api/v1/${path}`, { method: 'POST', body });
    const answer = (await response.json()) as ApiResponse;
    if (answer.status === 'error') return { error: answer.error };
    return { outcome: { answer: answerOf(answer.data), warnings: [], infos: [] } };
  }

  async stop(): Promise<void> {
    await this.#peer.process.stop('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** What is called otherwise since 3.0. */
function inWordsOf2(query: string): string {
  return query.replaceAll('double_exponential_smoothing(', 'holt_winters(');
}

function answerOf(data: ApiData): Answer {
  switch (data.resultType) {
    case 'scalar':
      return { type: 'scalar', v: numberOf(data.result[1]) };
    case 'string':
      return { type: 'string', v: data.result[1] };
    case 'vector':
      return {
        type: 'vector',
        samples: data.result.map(({ metric, value }) => ({
          labels: Labels.from(metric),
          v: numberOf(value![1]),
          histogram: undefined,
        })),
      };
    case 'matrix':
      return { type: 'matrix', series: data.result.map(seriesOf) };
  }
}

function seriesOf({ metric, values }: ApiSeries): AnswerSeries {
  const points = (values ?? []).map(([t, v]) => ({ t: Math.round(t * 1000), v: numberOf(v) }));
  return { labels: Labels.from(metric), floats: points, histograms: [] };
}

function numberOf(text: string): number {
  if (text.endsWith('Inf')) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}
