import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import type { LogFields, Logger } from './log.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The log on standard error: JSON lines for programs, or one plain line per event for people. */
export class PinoLog implements Logger {
  readonly #pino: PinoLogger;
  readonly #fields: LogFields;

  private constructor(logger: PinoLogger, fields: LogFields) {
    this.#pino = logger;
    this.#fields = fields;
  }

  static open(
    level: LogLevel,
    format: 'text' | 'json',
    write: (line: string) => void = toStandardError,
  ): PinoLog {
    const destination: DestinationStream = {
      write: format === 'json' ? write : (line) => write(toText(line)),
    };
    return new PinoLog(
      pino(
        {
          level,
          base: undefined,
          timestamp: () => `,"ts":"${new Date().toISOString()}"`,
          formatters: { level: (label) => ({ level: label }) },
        },
        destination,
      ),
      {},
    );
  }

  /** Changes the level of this logger and of all its children. */
  setLevel(level: LogLevel): void {
    this.#pino.level = level;
  }

  debug(message: string, fields?: LogFields): void {
    this.#pino.debug({ ...this.#fields, ...fields }, message);
  }

  info(message: string, fields?: LogFields): void {
    this.#pino.info({ ...this.#fields, ...fields }, message);
  }

  warn(message: string, fields?: LogFields): void {
    this.#pino.warn({ ...this.#fields, ...fields }, message);
  }

  error(message: string, fields?: LogFields): void {
    this.#pino.error({ ...this.#fields, ...fields }, message);
  }

  child(fields: LogFields): Logger {
    return new PinoLog(this.#pino, { ...this.#fields, ...fields });
  }
}

function toStandardError(line: string): void {
  process.stderr.write(line);
}

/** `12:30:01.123 info  head became a block  tenant=anonymous ulid=01J…`; values are quoted by JSON, so none can forge a line. */
function toText(line: string): string {
  const { level, ts, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${fieldText(value)}`);
  return `${String(ts).slice(11, 23)} ${String(level).padEnd(5)} ${msg}${rest.length > 0 ? ` ${rest.join('')}` : ''}\n`;
}

function fieldText(value: unknown): string {
  return typeof value === 'string' && /^[\w./:@+-]+$/.test(value)
    ? value
    : (JSON.stringify(value) ?? 'undefined');
}
