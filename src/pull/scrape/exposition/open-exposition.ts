import { VeronaError } from '../../../model/errors.ts';
import { ClassicToNative } from './classic-to-native.ts';
import { CreatedTimes } from './created-times.ts';
import { OpenMetricsText } from './open-metrics.ts';
import type { ExpositionParser, TextExpositionParser } from './parser.ts';
import { PrometheusText } from './prometheus-text.ts';
import { type HistogramOptions, ProtobufExposition } from './protobuf.ts';

const MEDIA_TYPES = [
  'text/plain',
  'application/openmetrics-text',
  'application/vnd.google.protobuf',
] as const;
export type MediaType = (typeof MEDIA_TYPES)[number];

/** The parser of a body; `text` is the same one when it can pass over lines that are known. */
export interface OpenExposition {
  readonly parser: ExpositionParser;
  readonly text: TextExpositionParser | undefined;
}

/** Throws `bad_data` when the content type is none of the formats and there is no fallback. */
export function openExposition(
  bytes: Uint8Array,
  contentType: string,
  fallback: MediaType | undefined,
  options: HistogramOptions,
): OpenExposition {
  const type = mediaTypeOf(contentType, fallback);
  if (type === 'application/vnd.google.protobuf')
    return { parser: new ProtobufExposition(bytes, options), text: undefined };
  if (type !== 'text/plain' && options.startTimes) {
    const created = new CreatedTimes(bytes);
    const parser = options.convertClassic ? new ClassicToNative(created, options.keepClassic) : created;
    return { parser, text: undefined };
  }
  const text = type === 'text/plain' ? new PrometheusText(bytes) : new OpenMetricsText(bytes);
  if (!options.convertClassic) return { parser: text, text };
  return { parser: new ClassicToNative(text, options.keepClassic), text: undefined };
}

function mediaTypeOf(contentType: string, fallback: MediaType | undefined): MediaType {
  const given = contentType.split(';')[0].trim().toLowerCase();
  const known = MEDIA_TYPES.find((type) => type === given) ?? fallback;
  if (known !== undefined) return known;
  throw new VeronaError(
    'bad_data',
    given === ''
      ? 'the target sends no Content-Type, and there is no fallback_scrape_protocol for it'
      : `the target sends the Content-Type ${JSON.stringify(contentType)}, which is not supported, and there is no fallback_scrape_protocol for it`,
  );
}
