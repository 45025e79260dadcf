/**
 * Prometheus' text of a float: the fewest digits that read back the same, plain from 1e-6 up to below 1e21, else with
 * an exponent of two digits at least (`1e-07`); `NaN`, `+Inf`, `-Inf`, `-0`.
 */
export function formatFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  // JavaScript switches to exponents at the same magnitudes, but writes one-digit ones with one digit.
  return String(value).replace(/e-(\d)$/, 'e-0$1');
}

/** Milliseconds as Prometheus prints them in seconds: three decimals, or none when whole. */
export function formatSeconds(ms: number): string {
  const magnitude = Math.abs(ms);
  const seconds = Math.floor(magnitude / 1000);
  const rest = magnitude % 1000;
  return `${ms < 0 ? '-' : ''}${seconds}${rest === 0 ? '' : `.${String(rest).padStart(3, '0')}`}`;
}
