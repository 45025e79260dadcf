import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

const OUTPUT_KEPT_BYTES = 256 * 1024;
const CLOCK_TICKS_PER_SECOND = 100;

/** A real program under test: its output is kept for messages, its CPU time and memory are read from /proc. */
export class RealProcess {
  readonly name: string;
  readonly child: ChildProcess;
  #output = '';

  constructor(name: string, command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.name = name;
    this.child = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (data: Buffer) => {
      this.#output = (this.#output + data).slice(-OUTPUT_KEPT_BYTES);
    };
    this.child.stdout?.on('data', keep);
    this.child.stderr?.on('data', keep);
    this.child.on('error', (error) => {
      this.#output += `\n${error.message}`;
    });
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get exited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** User and system time so far, seconds; 0 once gone. */
  cpuSeconds(): number {
    const fields = readProc(this.pid, 'stat').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / CLOCK_TICKS_PER_SECOND;
  }

  /** Resident memory in bytes, now and at its highest. Page cache is not in it; mapped files that are resident are. */
  memory(): { resident: number; peak: number; anonymous: number } {
    const status = readProc(this.pid, 'status');
    const bytes = (key: string) => Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;
    return { resident: bytes('VmRSS'), peak: bytes('VmHWM'), anonymous: bytes('RssAnon') };
  }

  /** Lets `memory().peak` begin anew. */
  resetPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5');
  }

  /** Ties all threads to these processors, as `taskset` names them. */
  tie(cores: string): void {
    execFileSync('taskset', ['-a', '-c', '-p', cores, String(this.pid)], { stdio: 'ignore' });
  }

  /** Resolves when `url` answers 2xx; rejects with the program's output when it exits or does not within the time. */
  async ready(url: string, timeoutMs = 60_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (performance.now() < end) {
      if (this.exited) throw new Error(`${this.name} exited before it was ready:\n${this.#output}`);
      const response = await fetch(url).catch(() => undefined);
      await response?.arrayBuffer().catch(() => undefined);
      if (response?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`${this.name} was not ready at ${url} after ${timeoutMs} ms:\n${this.#output}`);
  }

  /** Resolves with the exit code when the program ends by itself; rejects with its output when it does not in time. */
  async ended(timeoutMs = 60_000): Promise<number | null> {
    if (this.exited) return this.child.exitCode;
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`${this.name} still runs after ${timeoutMs} ms:\n${this.#output}`)),
        timeoutMs,
      );
      // After `close` the output is whole.
      this.child.once('close', (code) => {
        clearTimeout(late);
        resolve(code);
      });
    });
  }

  /** Sends a signal and resolves with the exit code once it is gone (null when a signal ended it). */
  async stop(signal: NodeJS.Signals = 'SIGTERM', timeoutMs = 60_000): Promise<number | null> {
    if (this.exited) return this.child.exitCode;
    const gone = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    const cut = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs);
    const code = await gone;
    clearTimeout(cut);
    return code;
  }
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** A TCP port on loopback that nobody uses right now. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
