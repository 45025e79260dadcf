import { readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Other processes of this machine (or of a pod that shares its processes). */
export interface Processes {
  /** Sends SIGHUP to every process whose executable has this file name; how many they were. Throws when one may not be signalled. */
  hangUp(executable: string): number;
}

/** Those of Linux, by `/proc`. */
export class SystemProcesses implements Processes {
  hangUp(executable: string): number {
    const pids = readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && executableOf(name) === executable,
    );
    for (const pid of pids) process.kill(Number(pid), 'SIGHUP');
    return pids.length;
  }
}

/** undefined for kernel threads, processes that are gone, and those of other users. A file replaced since is still it. */
function executableOf(pid: string): string | undefined {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
  } catch {
    return undefined;
  }
}
