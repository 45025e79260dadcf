import { gunzipSync } from 'node:zlib';
import { VeronaError } from '../../model/errors.ts';

export interface ExpandRules {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** References to variables that are not set stay as they stand; else they are an error. */
  readonly toleratesUnset: boolean;
}

export interface ExpandedConfig {
  readonly data: Uint8Array;
  /** Variables that are not set, in the order of their first reference. */
  readonly unset: readonly string[];
}

const CONFIG_BYTES_MAX = 64 * 1024 * 1024;
const REFERENCE = /\$\(([a-zA-Z_0-9]+)\)/g;

/**
 * A configuration file as Prometheus is to read it: unpacked when it is gzip, each `$(NAME)` replaced by the variable of
 * the environment, as Thanos' reloader does. Text that is not UTF-8 keeps its bytes. Throws `bad_data` with `path`.
 */
export function expandConfig(path: string, file: Uint8Array, rules: ExpandRules): ExpandedConfig {
  const plain = isGzip(file) ? unpacked(path, file) : file;
  const unset = new Set<string>();
  // One character per byte: references are ASCII, and what else is in the file stays as it is.
  const text = Buffer.from(plain).toString('latin1');
  const expanded = text.replace(REFERENCE, (reference, name: string) => {
    const value = rules.environment[name];
    if (value !== undefined) return Buffer.from(value, 'utf8').toString('latin1');
    unset.add(name);
    return reference;
  });
  if (unset.size > 0 && !rules.toleratesUnset)
    throw new VeronaError(
      'bad_data',
      `${path}: the environment has no variable ${[...unset].join(', ')}, which it refers to`,
    );
  return { data: Buffer.from(expanded, 'latin1'), unset: [...unset] };
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function unpacked(path: string, file: Uint8Array): Uint8Array {
  try {
    return gunzipSync(file, { maxOutputLength: CONFIG_BYTES_MAX });
  } catch (cause) {
    throw new VeronaError('bad_data', `${path}: unpack it: ${(cause as Error).message}`, { cause });
  }
}
