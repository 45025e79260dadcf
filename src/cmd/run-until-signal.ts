import { messageOf } from '../model/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Lifecycle } from '../server/lifecycle.ts';
import { EXIT } from './exit.ts';

export interface RunTexts {
  /** Who did not start, in messages: `the sidecar`. */
  readonly name: string;
  /** Logged when a signal came. */
  readonly stopping: string;
}

/**
 * Starts, calls `up`, runs until SIGINT or SIGTERM, and stops in order; resolves with the exit code. A second signal ends
 * the process at once. Never resolves when the start fails: what is there already would keep the process, and its port,
 * for ever, so the process ends here.
 */
export async function runUntilSignal(
  lifecycle: Lifecycle,
  log: Logger,
  { name, stopping }: RunTexts,
  up: () => void,
): Promise<number> {
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
  try {
    await lifecycle.start();
  } catch (error) {
    log.error(`${name} did not start`, { error: messageOf(error) });
    process.exit(EXIT.failed);
  }
  up();
  const signal = await stopped;
  log.info(stopping, { signal });
  for (const again of ['SIGINT', 'SIGTERM'] as const) process.once(again, () => process.exit(EXIT.failed));
  const clean = await lifecycle.stop();
  log.info('stopped');
  return clean ? EXIT.ok : EXIT.failed;
}
