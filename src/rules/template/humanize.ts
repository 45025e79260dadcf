import { formatG } from './value.ts';

const LARGE = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const BINARY = ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'];
const SMALL = ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y'];

/** `1.235M`, `120u`: four digits with an SI prefix, as Prometheus' templates have it. */
export function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return formatG(value, 4);
  return Math.abs(value) >= 1 ? scaledDown(value, LARGE, 1000) : scaledUp(value, '');
}

/** The same with prefixes of 1024. */
export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return formatG(value, 4);
  return scaledDown(value, BINARY, 1024);
}

/** Seconds as `1d 2h 3m 4s`, or with a prefix below one. */
export function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return formatG(seconds, 4);
  if (seconds === 0) return '0s';
  if (Math.abs(seconds) < 1) return scaledUp(seconds, 's');
  const sign = seconds < 0 ? '-' : '';
  const whole = Math.trunc(Math.abs(seconds));
  const [s, m, h, d] = [
    whole % 60,
    Math.floor(whole / 60) % 60,
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 86_400),
  ];
  if (d !== 0) return `${sign}${d}d ${h}h ${m}m ${s}s`;
  if (h !== 0) return `${sign}${h}h ${m}m ${s}s`;
  if (m !== 0) return `${sign}${m}m ${s}s`;
  return `${sign}${formatG(Math.abs(seconds), 4)}s`;
}

export function humanizePercentage(value: number): string {
  return `${formatG(value * 100, 4)}%`;
}

function scaledDown(value: number, prefixes: readonly string[], base: number): string {
  let prefix = '';
  for (const next of prefixes) {
    if (Math.abs(value) < base) break;
    prefix = next;
    value /= base;
  }
  return formatG(value, 4) + prefix;
}

function scaledUp(value: number, unit: string): string {
  let prefix = '';
  for (const next of SMALL) {
    if (Math.abs(value) >= 1) break;
    prefix = next;
    value *= 1000;
  }
  return formatG(value, 4) + prefix + unit;
}
