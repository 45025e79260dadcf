import type { Answer } from './thread-protocol.ts';

const encoder = new TextEncoder();
const JSON_HEADERS = { 'content-type': 'application/json' } as const;

/** What goes beside the data in Prometheus' envelope. */
export interface Annotations {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

export const NO_ANNOTATIONS: Annotations = { warnings: [], infos: [] };

/** A successful answer around a small value. An answer that may lack data is not to be cached. */
export function jsonAnswer(data: unknown, annotations: Annotations = NO_ANNOTATIONS): Answer {
  return rawAnswer([encoder.encode(JSON.stringify(data))], annotations);
}

/** The same around data that is JSON bytes already; takes ownership of the parts. */
export function rawAnswer(data: readonly Uint8Array[], annotations: Annotations): Answer {
  const parts = [
    encoder.encode('{"status":"success","data":'),
    ...data,
    encoder.encode(`${tail(annotations)}}`),
  ];
  const incomplete = annotations.warnings.length > 0;
  return {
    status: 200,
    headers: incomplete ? { ...JSON_HEADERS, 'cache-control': 'no-store' } : JSON_HEADERS,
    parts,
  };
}

function tail({ warnings, infos }: Annotations): string {
  const list = (name: string, texts: readonly string[]) =>
    texts.length > 0 ? `,"${name}":${JSON.stringify(texts)}` : '';
  return list('warnings', warnings) + list('infos', infos);
}
