import { type ByteParts, partsLength } from '../encoding/byte-parts.ts';
import { VeronaError } from '../model/errors.ts';
import type { HttpRequest, HttpResponse } from '../platform/http.ts';
import type { WriteCounts } from '../storage/series-writer.ts';
import type { Limits, TenantLimits } from '../tenancy/limits.ts';
import type { RateLimiter } from '../tenancy/rate-limiter.ts';
import type { PushMetrics } from './push-metrics.ts';
import { failedWrite, plain, rateLimited, refusalText } from './push-response.ts';
import { LimitPolicy } from './series-policy.ts';
import type { TenantStorage, WriteResult } from './tenant-db.ts';
import { type WriteVersion, writeVersionOf } from './write-protocol.ts';

/** Bodies beyond this are not read from the socket, whatever a tenant's limit says. */
export const WRITE_BODY_MAX = 100 * 1024 * 1024;

/** Writes that may wait for the log at once; further ones are refused with 503. */
const UNDER_WAY_MAX = 1024;

type WriteHttpRequest = Pick<HttpRequest, 'tenant' | 'headers' | 'body' | 'bodyParts'>;

/** What the handlers of writes share. */
export interface PushContext {
  readonly tenants: TenantStorage;
  readonly limits: TenantLimits;
  readonly rates: RateLimiter;
  readonly metrics: PushMetrics;
}

/**
 * Remote write 1.0 and 2.0. 204 when everything is stored; 400 when something was refused or does not parse (the rest is
 * stored, and a sender must not repeat it); 413, 415 before anything is read; 429 and 503 with `Retry-After` when the
 * same request may be sent again.
 */
export class RemoteWriteHandler {
  readonly #context: PushContext;
  #underWay = 0;

  constructor(context: PushContext) {
    this.#context = context;
  }

  async handle(request: WriteHttpRequest): Promise<HttpResponse> {
    try {
      const version = writeVersionOf(request.headers);
      if (this.#underWay >= UNDER_WAY_MAX)
        throw new VeronaError('unavailable', `${UNDER_WAY_MAX} writes are waiting already`);
      this.#underWay++;
      try {
        return await this.#write(request.tenant, request.bodyParts ?? request.body, version);
      } finally {
        this.#underWay--;
      }
    } catch (error) {
      return failedWrite(error);
    }
  }

  async #write(tenant: string, body: ByteParts, version: WriteVersion): Promise<HttpResponse> {
    const { tenants, rates, metrics } = this.#context;
    const limits = this.#context.limits.of(tenant);
    checkSize(partsLength(body), limits);
    const waitMs = rates.waitMs(tenant, limits.ingestionRate, limits.ingestionBurstSize);
    if (waitMs > 0) {
      metrics.countRateLimited(tenant);
      return rateLimited(waitMs, limits.ingestionRate);
    }
    const db = await tenants.open(tenant);
    const policy = new LimitPolicy(limits);
    const decodedMax = limits.maxDecodedRequestSize || DECODED_MAX;
    const result = await db.write(body, version, decodedMax, policy);
    metrics.countWrite(tenant, version === 1 ? 'rw1' : 'rw2', result, policy);
    rates.take(tenant, itemCount(result));
    return answer(result, version);
  }
}

/** Throws `too_large` when a body of `length` bytes is larger than the tenant may send. */
export function checkSize(length: number, limits: Limits): void {
  const { maxRequestSize } = limits;
  if (maxRequestSize > 0 && length > maxRequestSize)
    throw new VeronaError('too_large', `the request has ${length} bytes, ${maxRequestSize} are allowed`);
}

/** Used when a tenant has no limit: what the head's memory can take in one piece. */
export const DECODED_MAX = 512 * 1024 * 1024;

/** Everything a write held, stored or not. */
export function itemCount(result: WriteCounts): number {
  let count = result.samples + result.histograms + result.exemplars;
  for (const refused of result.refusedCounts.values()) count += refused;
  return count;
}

function answer(result: WriteResult, version: WriteVersion): HttpResponse {
  const headers = version === 2 ? writtenHeaders(result) : {};
  const refusal = refusalText(result);
  return refusal === undefined ? { status: 204, headers } : plain(400, refusal, headers);
}

/** A 2.0 sender that misses these takes the receiver for one of 1.0. */
function writtenHeaders(result: WriteResult): Record<string, string> {
  return {
    'X-Prometheus-Remote-Write-Samples-Written': String(result.samples),
    'X-Prometheus-Remote-Write-Histograms-Written': String(result.histograms),
    'X-Prometheus-Remote-Write-Exemplars-Written': String(result.exemplars),
  };
}
