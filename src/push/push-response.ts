import { type ErrorCode, VeronaError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { HttpResponse } from '../platform/http.ts';
import type { WriteResult } from './tenant-db.ts';

/** Seconds a sender should wait before it tries again when the store cannot take writes now. */
const UNAVAILABLE_RETRY_SECONDS = 5;

/** Labels in messages are cut to this many characters. */
const LABELS_LENGTH_MAX = 500;

/** Codes a sender can do something about, with their status. Others are the server's to answer. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  bad_data: 400,
  // A tenant whose deletion is marked: the sender is to drop what it has for it.
  forbidden: 403,
  limit: 400,
  too_large: 413,
  unsupported_media: 415,
  rate_limited: 429,
  timeout: 503,
  unavailable: 503,
};

/** An error as plain text, as Prometheus answers writes. Throws what is no answer to the sender (a defect, a hang-up). */
export function failedWrite(error: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  const status = error instanceof VeronaError ? STATUS[error.code] : undefined;
  if (status === undefined) throw error;
  const retry: Record<string, string> =
    status === 503 ? { 'retry-after': String(UNAVAILABLE_RETRY_SECONDS) } : {};
  return plain(status, (error as VeronaError).message, { ...retry, ...headers });
}

/** 429 with the seconds to wait. */
export function rateLimited(waitMs: number, rate: number): HttpResponse {
  return plain(429, `ingestion rate limit (${rate} samples/s) exceeded`, {
    'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))),
  });
}

export function plain(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', ...headers },
    body: `${text}\n`,
  };
}

/**
 * What was refused, for people: the first line says the first reason and the counts (senders log one line), the next
 * ones the other refusals that are known in detail. Undefined when nothing was refused.
 */
export function refusalText(result: WriteResult): string | undefined {
  let refused = 0;
  // A dropped exemplar is no reason to tell the sender that its write was bad.
  for (const [outcome, count] of result.refusedCounts) if (outcome !== 'invalid_exemplar') refused += count;
  if (refused === 0) return undefined;
  const stored = result.samples + result.histograms + result.exemplars;
  const counts = [...result.refusedCounts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
  const details = result.refused.map(({ reason, labels, t }) => `${reason}: ${quotedSeries(labels, t)}`);
  return [
    `${details[0] ?? 'some samples were refused'} (refused: ${counts}; stored: ${stored})`,
    ...details.slice(1),
  ].join('\n');
}

/** `series {…}, timestamp …`, not too long. */
export function quotedSeries(labels: Labels, t: number): string {
  const series = labels.toString();
  const shown = series.length > LABELS_LENGTH_MAX ? `${series.slice(0, LABELS_LENGTH_MAX)}…` : series;
  return `series ${shown}, timestamp ${t}`;
}
