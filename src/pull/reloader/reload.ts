import { VeronaError } from '../../model/errors.ts';
import { type Clock, sleep } from '../../platform/clock.ts';
import type { Processes } from '../../platform/processes.ts';
import type { PrometheusClient } from '../sidecar/prometheus-client.ts';

/** Makes a Prometheus read its configuration again; rejects with `execution` unless it says that it took it. */
export type Reload = (signal: AbortSignal) => Promise<void>;

interface RuntimeInfo {
  readonly reloadConfigSuccess: boolean;
  /** RFC 3339, in whole seconds. */
  readonly lastConfigTime: string;
}

const ANSWER_TIMEOUT_MS = 60_000;
const TAKEN_TIMEOUT_MS = 30_000;
const POLL_MS = 200;

/** By `POST /-/reload`, which answers when the reload is over; it must be allowed by `--web.enable-lifecycle`. */
export function reloadByHttp(client: PrometheusClient, clock: Clock): Reload {
  return (signal) =>
    within(clock, ANSWER_TIMEOUT_MS, signal, async (inTime) => {
      await client.reload(inTime);
      const { reloadConfigSuccess } = await runtimeInfo(client, inTime);
      if (!reloadConfigSuccess) throw refused(client);
    });
}

/** By SIGHUP, which is answered by nothing: Prometheus is asked until it tells of a newer configuration. */
export function reloadBySignal(
  client: PrometheusClient,
  processes: Processes,
  executable: string,
  clock: Clock,
): Reload {
  return async (signal) => {
    const before = await within(clock, ANSWER_TIMEOUT_MS, signal, (inTime) => runtimeInfo(client, inTime));
    // Its time has whole seconds: within the same one a newer configuration would look like the one before.
    const nextSecondMs = Date.parse(before.lastConfigTime) + 1_000 - clock.now();
    if (nextSecondMs > 0 && nextSecondMs <= 1_000) await sleep(clock, nextSecondMs, signal);
    if (processes.hangUp(executable) === 0)
      throw new VeronaError('not_found', `no process is called ${JSON.stringify(executable)}`);
    const endMs = clock.monotonic() + TAKEN_TIMEOUT_MS;
    for (;;) {
      const now = await within(clock, ANSWER_TIMEOUT_MS, signal, (inTime) => runtimeInfo(client, inTime));
      if (now.reloadConfigSuccess && now.lastConfigTime !== before.lastConfigTime) return;
      const isNewlyRefused = before.reloadConfigSuccess && !now.reloadConfigSuccess;
      if (isNewlyRefused || clock.monotonic() > endMs) throw refused(client);
      await sleep(clock, POLL_MS, signal);
    }
  };
}

function refused(client: PrometheusClient): VeronaError {
  return new VeronaError('execution', `${client.url} did not take its configuration; its log says why`);
}

async function runtimeInfo(client: PrometheusClient, signal: AbortSignal): Promise<RuntimeInfo> {
  return (await client.get<RuntimeInfo>('/api/v1/status/runtimeinfo', {}, signal)).data;
}

async function within<T>(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  ask: (inTime: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const stopTimer = clock.after(timeoutMs, () => late.abort(new Error(`no answer for ${timeoutMs} ms`)));
  const onAbort = () => late.abort(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await ask(late.signal);
  } finally {
    stopTimer();
    signal.removeEventListener('abort', onAbort);
  }
}
