import type { Answer } from './thread-protocol.ts';

const encoder = new TextEncoder();
const JSON_HEADERS = { 'content-type': 'application/json' } as const;

/** What goes beside the data in Prometheus' envelope. */
export interface Annotations {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

export const NO_ANNOTATIONS: Annotations = { warnings: [], infos: [] };

/** A successful answer around a small value. */
export function jsonAnswer(data: unknown, annotations: Annotations = NO_ANNOTATIONS): Answer {
  return textAnswer(JSON.stringify(data), annotations);
}

/** The same around the text of a value. */
export function textAnswer(json: string, annotations: Annotations): Answer {
  const parts = [encoder.encode(`${JSON_BEGIN}${json}${jsonEnd(annotations)}`)];
  return { status: 200, headers: jsonHeaders(annotations), parts };
}

/** What stands before the data of a successful answer, and what after it. */
export const JSON_BEGIN = '{"status":"success","data":';

export function jsonEnd({ warnings, infos }: Annotations): string {
  const list = (name: string, texts: readonly string[]) =>
    texts.length > 0 ? `,"${name}":${JSON.stringify(texts)}` : '';
  return `${list('warnings', warnings)}${list('infos', infos)}}`;
}

/** An answer that may lack data is not to be cached. */
export function jsonHeaders({ warnings }: Annotations): Answer['headers'] {
  return warnings.length > 0 ? { ...JSON_HEADERS, 'cache-control': 'no-store' } : JSON_HEADERS;
}
