const SIZE = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB|PB|KiB|MiB|GiB|TiB|PiB)?$/;
const SIZE_EXPONENT = 'BKMGTP';

/** Bytes of a size text; `KB` and `KiB` both mean 1024, as in Prometheus; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (!match) return undefined;
  const unit = match[2] ?? 'B';
  return Math.round(Number(match[1]) * 1024 ** SIZE_EXPONENT.indexOf(unit[0]));
}

export function formatSize(bytes: number): string {
  let exponent = 0;
  while (exponent < 5 && bytes >= 1024 && bytes % 1024 === 0) {
    bytes /= 1024;
    exponent++;
  }
  return exponent === 0 ? `${bytes}B` : `${bytes}${SIZE_EXPONENT[exponent]}iB`;
}

const ORDINAL = /^(?:[A-Za-z][A-Za-z0-9-]*-)?(\d{1,6})$/;

/** The number of an instance: as it is, or at the end of a host name as a StatefulSet gives them (`gateway-3`, also with its domain); else undefined. */
export function parseOrdinal(text: string): number | undefined {
  const match = ORDINAL.exec(/^[A-Za-z]/.test(text) ? text.split('.', 1)[0] : text);
  return match ? Number(match[1]) : undefined;
}
