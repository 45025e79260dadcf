const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const DURATION_MS = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1] as const;
const DURATION_NAMES = ['y', 'w', 'd', 'h', 'm', 's', 'ms'] as const;

/** Milliseconds of Prometheus' duration text (`1h30m`, `15s`, `0`); undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = text === '' ? null : DURATION.exec(text);
  if (!match) return undefined;
  return DURATION_MS.reduce((total, ms, i) => total + ms * Number(match[i + 1] ?? 0), 0);
}

/** Prometheus' text of a duration: the largest units first, `1h30m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let rest = ms;
  let text = '';
  for (const [i, unit] of DURATION_MS.entries()) {
    // Years and weeks only when they are all of it, as Prometheus prints them.
    if (i < 2 && rest % unit !== 0) continue;
    const count = Math.floor(rest / unit);
    if (count > 0) text += `${count}${DURATION_NAMES[i]}`;
    rest -= count * unit;
  }
  return text;
}
