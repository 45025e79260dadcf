import { VeronaError } from '../model/errors.ts';

const V1_MESSAGE = 'prometheus.WriteRequest';
const V2_MESSAGE = 'io.prometheus.write.v2.Request';

/** `1`: prometheus.WriteRequest; `2`: io.prometheus.write.v2.Request. */
export type WriteVersion = 1 | 2;

/**
 * Which remote write a request speaks, by its content type; a missing one means 1.0, as in Prometheus, and so does
 * `application/x-protobuf` alone. Throws `unsupported_media` for every other type and for an encoding that is not snappy.
 */
export function writeVersionOf(headers: Readonly<Record<string, string | undefined>>): WriteVersion {
  const version = versionOf(headers['content-type'] ?? '');
  const encoding = headers['content-encoding'] ?? '';
  if (encoding !== '' && encoding.trim().toLowerCase() !== 'snappy')
    throw new VeronaError(
      'unsupported_media',
      `${encoding} encoding (compression) is not accepted, snappy is`,
    );
  return version;
}

function versionOf(contentType: string): WriteVersion {
  const [mediaType, ...parameters] = contentType.split(';').map((part) => part.trim());
  if (contentType.trim() === '') return 1;
  if (mediaType.toLowerCase() !== 'application/x-protobuf')
    throw new VeronaError(
      'unsupported_media',
      `${contentType} content type is not accepted, application/x-protobuf is`,
    );
  for (const parameter of parameters) {
    const [name, value = ''] = parameter.split('=', 2).map((part) => part.trim());
    if (name.toLowerCase() !== 'proto') continue;
    const message = value.replace(/^"(.*)"$/, '$1');
    if (message === V1_MESSAGE) return 1;
    if (message === V2_MESSAGE) return 2;
    throw new VeronaError(
      'unsupported_media',
      `${contentType} content type is not accepted: proto is ${V1_MESSAGE} or ${V2_MESSAGE}`,
    );
  }
  return 1;
}
