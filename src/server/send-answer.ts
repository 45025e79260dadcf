import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { compressBody } from '../platform/compress-body.ts';
import type { HttpResponse } from '../platform/http.ts';
import { TEXT } from './direct-route.ts';

/** Writes an answer as it is. */
export async function send(reply: FastifyReply, response: HttpResponse): Promise<FastifyReply> {
  reply.code(response.status);
  for (const [name, value] of Object.entries(response.headers ?? {})) reply.header(name, value);
  const { body } = response;
  if (body === undefined) return reply.send();
  if (typeof body === 'string') {
    if (!response.headers?.['content-type']) reply.header('content-type', TEXT);
    // As bytes: fastify adds a character set to the type of texts, which Prometheus' JSON does not have.
    return reply.send(Buffer.from(body, response.isLatin1 ? 'latin1' : 'utf8'));
  }
  if (body instanceof Uint8Array)
    return reply.send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  return reply.send(Readable.from(body, { objectMode: false }));
}

/** Answers of query threads are as small as they get. */
export function mayCompress({ body, isLatin1 }: HttpResponse): boolean {
  return !isLatin1 && (typeof body === 'string' || body instanceof Uint8Array);
}

/** In the best encoding that the client takes, where that makes it smaller. Streams stay as they are. */
export async function compressed(
  response: HttpResponse,
  accepted: string | undefined,
): Promise<HttpResponse> {
  const { body, headers } = response;
  if (body === undefined || headers?.['content-encoding']) return response;
  if (!(typeof body === 'string' || body instanceof Uint8Array)) return response;
  const packed = await compressBody(body, accepted);
  if (packed === undefined) return response;
  const type = headers?.['content-type'] ?? 'text/plain; charset=utf-8';
  return {
    ...response,
    headers: { ...headers, 'content-type': type, ...packed.headers },
    body: packed.bytes,
  };
}
