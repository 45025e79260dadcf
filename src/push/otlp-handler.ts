import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { VeronaError } from '../model/errors.ts';
import type { HttpRequest, HttpResponse } from '../platform/http.ts';
import type { OtlpRequest } from '../proto/otlp.ts';
import { readOtlpJson } from '../proto/otlp-json.ts';
import { readOtlpRequest } from '../proto/otlp-protobuf.ts';
import { encodeOtlpResponse, encodeRpcStatus, type PartialSuccess } from '../proto/otlp-write.ts';
import type { Limits } from '../tenancy/limits.ts';
import { OtlpSink } from './otlp-sink.ts';
import { type OtlpOptions, translateOtlp } from './otlp-translate.ts';
import { failedWrite, rateLimited } from './push-response.ts';
import { checkSize, DECODED_MAX, itemCount, type PushContext } from './remote-write-handler.ts';
import { LimitPolicy } from './series-policy.ts';

const gunzipAsync = promisify(gunzip);

/** Requests that may be under way at once, each held decoded; further ones are refused with 503. */
const UNDER_WAY_MAX = 64;

/** `google.rpc.Code` of the answers that are failures. */
const RPC_CODES: Readonly<Record<number, number>> = { 400: 3, 413: 3, 415: 3, 429: 8, 503: 14 };

type Form = 'protobuf' | 'json';
const CONTENT_TYPES = { protobuf: 'application/x-protobuf', json: 'application/json' } as const;

/**
 * OTLP metrics over HTTP. 200 when everything or a part is stored, the latter with the number of rejected data points and
 * why; 400 when nothing could be stored of what was sent; 413, 415, 429 and 503 as for remote write. Answers have the
 * form of the request, failures as `google.rpc.Status`.
 */
export class OtlpHandler {
  readonly #context: PushContext;
  readonly #options: OtlpOptions;
  #underWay = 0;

  constructor(context: PushContext, options: OtlpOptions) {
    this.#context = context;
    this.#options = options;
  }

  async handle(request: Pick<HttpRequest, 'tenant' | 'headers' | 'body' | 'signal'>): Promise<HttpResponse> {
    let form: Form = 'protobuf';
    try {
      form = formOf(request.headers['content-type'] ?? '');
      if (this.#underWay >= UNDER_WAY_MAX)
        throw new VeronaError('unavailable', `${UNDER_WAY_MAX} OTLP requests are under way already`);
      this.#underWay++;
      try {
        return await this.#write(request, form);
      } finally {
        this.#underWay--;
      }
    } catch (error) {
      return asStatus(failedWrite(error), form);
    }
  }

  async #write(
    { tenant, headers, body, signal }: Pick<HttpRequest, 'tenant' | 'headers' | 'body' | 'signal'>,
    form: Form,
  ): Promise<HttpResponse> {
    const { tenants, rates, metrics } = this.#context;
    const limits = this.#context.limits.of(tenant);
    checkSize(body.length, limits);
    const waitMs = rates.waitMs(tenant, limits.ingestionRate, limits.ingestionBurstSize);
    if (waitMs > 0) {
      metrics.countRateLimited(tenant);
      return asStatus(rateLimited(waitMs, limits.ingestionRate), form);
    }
    const decoded = await decompress(body, headers['content-encoding'] ?? '', limits);
    const sent = decode(decoded, form);
    const policy = new LimitPolicy(limits);
    const appender = await (await tenants.open(tenant)).appender(policy);
    const sink = new OtlpSink(appender, policy);
    try {
      const steps = translateOtlp(sent, this.#options, sink);
      while (!steps.next().done) await nextTurn(signal);
    } catch (error) {
      appender.rollback();
      throw error;
    }
    await appender.commit();
    metrics.countWrite(tenant, 'otlp', sink.result, policy);
    rates.take(tenant, itemCount(sink.result));
    return answer(sink, form);
  }
}

/** Lets the event loop turn. Throws `canceled` when nobody waits for the answer any more. */
async function nextTurn(signal: AbortSignal): Promise<void> {
  await new Promise(setImmediate);
  if (signal.aborted) throw new VeronaError('canceled', 'the client hung up');
}

function formOf(contentType: string): Form {
  const mediaType = contentType.split(';')[0].trim().toLowerCase();
  if (mediaType === CONTENT_TYPES.protobuf) return 'protobuf';
  if (mediaType === CONTENT_TYPES.json) return 'json';
  throw new VeronaError(
    'unsupported_media',
    `content type ${JSON.stringify(contentType)} is not accepted, application/x-protobuf and application/json are`,
  );
}

async function decompress(body: Uint8Array, encoding: string, limits: Limits): Promise<Uint8Array> {
  const max = limits.maxDecodedRequestSize || DECODED_MAX;
  const name = encoding.trim().toLowerCase();
  if (name === '' || name === 'identity') {
    if (body.length > max)
      throw new VeronaError('too_large', `the request has ${body.length} bytes, ${max} are allowed`);
    return body;
  }
  if (name !== 'gzip')
    throw new VeronaError(
      'unsupported_media',
      `content encoding ${JSON.stringify(encoding)} is not accepted, gzip is`,
    );
  try {
    return await gunzipAsync(body, { maxOutputLength: max });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new VeronaError('too_large', `gzip: decodes to more than ${max} bytes`, { cause });
    throw new VeronaError('bad_data', `gzip: ${(cause as Error).message}`, { cause });
  }
}

function decode(bytes: Uint8Array, form: Form): OtlpRequest {
  if (form === 'protobuf') return readOtlpRequest(bytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new VeronaError('bad_data', 'JSON: the request is not UTF-8', { cause });
  }
  return readOtlpJson(text);
}

function answer(sink: OtlpSink, form: Form): HttpResponse {
  const message = sink.reasons.join('\n');
  if (sink.rejectedPoints > 0 && sink.rejectedPoints === sink.points)
    return asStatus(failedWrite(new VeronaError('bad_data', message)), form);
  const partial = { rejectedDataPoints: sink.rejectedPoints, errorMessage: message };
  return {
    status: 200,
    headers: { 'content-type': CONTENT_TYPES[form] },
    body: form === 'protobuf' ? encodeOtlpResponse(partial) : JSON.stringify(jsonResponse(partial)),
  };
}

function jsonResponse({ rejectedDataPoints, errorMessage }: PartialSuccess): object {
  if (rejectedDataPoints === 0 && errorMessage === '') return {};
  return { partialSuccess: { rejectedDataPoints: String(rejectedDataPoints), errorMessage } };
}

/** The same failure with the body OTLP senders expect. */
function asStatus(response: HttpResponse, form: Form): HttpResponse {
  const message = String(response.body).trimEnd();
  const code = RPC_CODES[response.status] ?? 2;
  return {
    status: response.status,
    headers: { ...response.headers, 'content-type': CONTENT_TYPES[form] },
    body: form === 'protobuf' ? encodeRpcStatus(code, message) : JSON.stringify({ code, message }),
  };
}
