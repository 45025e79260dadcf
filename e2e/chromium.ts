import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackDebian, withDependencies } from './debian.ts';
import { RealProcess } from './process.ts';

export interface Browser {
  /** Rejects with what the browser said when it ends by itself. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

const TIMEOUT_MS = 60_000;

/** Debian's Chromium without a window, standing on one page. Nothing is installed and no root is needed. */
export async function startChromium(url: string): Promise<Browser> {
  const root = await unpackDebian('chromium', await withDependencies(['chromium']));
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const profile = await mkdtemp(join(tmpdir(), 'verona-chromium-'));
  const process = new RealProcess(
    'chromium',
    join(root, 'usr/lib/chromium/chromium'),
    // Its sandbox needs a helper owned by root, or user namespaces; the only page it sees is ours.
    [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
      ...['--disable-background-networking', `--user-data-dir=${profile}`, url],
    ],
    { LD_LIBRARY_PATH: `${libraries}:${join(libraries, 'pulseaudio')}`, HOME: profile },
  );
  const fail = (reason: string) => {
    throw new Error(`${reason}:\n${process.output.slice(-2000)}`);
  };
  const ended = process.ended(TIMEOUT_MS).then((code) => fail(`Chromium ended with code ${code}`));
  ended.catch(() => undefined);
  return {
    ended,
    stop: async () => {
      await process.stop('SIGTERM', 5_000);
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
