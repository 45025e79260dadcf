import { createHash, type Hash } from 'node:crypto';
import type { LogFields, Logger } from '../src/platform/log.ts';

const LINES_KEPT = 400;

/** What happened in a run, line by line: its digest tells two runs apart, its last lines are for whoever looks for a cause. */
export class Trace {
  readonly #hash: Hash = createHash('sha256');
  readonly #now: () => number;
  readonly #lines: string[] = [];
  readonly #keepsAll: boolean;
  lineCount = 0;

  constructor(now: () => number, keepsAll: boolean) {
    this.#now = now;
    this.#keepsAll = keepsAll;
  }

  note(text: string): void {
    const line = `${new Date(this.#now()).toISOString().slice(5, 23)} ${text}`;
    this.#hash.update(line).update('\n');
    this.lineCount++;
    this.#lines.push(line);
    if (!this.#keepsAll && this.#lines.length > LINES_KEPT) this.#lines.shift();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Of everything so far. */
  digest(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }
}

/** The log of the simulated processes, in the trace. */
export class TraceLog implements Logger {
  readonly #trace: Trace;
  readonly #fields: LogFields;

  constructor(trace: Trace, fields: LogFields = {}) {
    this.#trace = trace;
    this.#fields = fields;
  }

  debug(): void {}

  info(message: string, fields?: LogFields): void {
    this.#note('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#note('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#note('error', message, fields);
  }

  child(fields: LogFields): Logger {
    return new TraceLog(this.#trace, { ...this.#fields, ...fields });
  }

  #note(level: string, message: string, fields: LogFields = {}): void {
    this.#trace.note(`  ${level} ${message} ${JSON.stringify({ ...this.#fields, ...fields })}`);
  }
}
