import { createHash } from 'node:crypto';
import { VeronaError } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { connectTcp, type TcpConnection } from '../../platform/tcp.ts';
import type { Cache } from './cache.ts';
import { MemcachedReplies, type MemcachedReply } from './memcached-reply.ts';

export interface MemcachedOptions {
  /** `host:port` each; keys are spread over them. */
  readonly addresses: readonly string[];
  readonly timeoutMs: number;
  /** Larger values are not sent. */
  readonly itemBytesMax: number;
}

/** A longer time would be taken for a date. */
const EXPIRY_SECONDS_MAX = 30 * 24 * 3600;
const KEYS_PER_REQUEST_MAX = 100;
const RECONNECT_MS = 1_000;
const WAITING_MAX = 1_000;

/** A cache in memcached servers, over its text protocol. A key always goes to the same server, and to others only when servers change. */
export class MemcachedCache implements Cache {
  readonly #servers: readonly Server[];
  readonly #options: MemcachedOptions;

  constructor(options: MemcachedOptions, clock: Clock) {
    this.#options = options;
    this.#servers = options.addresses.map((address) => new Server(address, options, clock));
  }

  async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    const named = new Map(keys.map((key) => [nameOf(key), key]));
    const requests: Promise<void>[] = [];
    for (const [server, names] of Map.groupBy(named.keys(), (name) => this.#serverOf(name)))
      for (let at = 0; at < names.length; at += KEYS_PER_REQUEST_MAX)
        requests.push(
          server
            .ask(`get ${names.slice(at, at + KEYS_PER_REQUEST_MAX).join(' ')}\r\n`)
            .then(({ values, status }) => {
              if (status !== 'END') throw refused(status);
              for (const [name, value] of values) found.set(named.get(name) as string, value);
            }),
        );
    await Promise.all(requests);
    return found;
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    if (value.length > this.#options.itemBytesMax) return;
    const name = nameOf(key);
    const seconds = Math.min(EXPIRY_SECONDS_MAX, Math.max(1, Math.round(ttlMs / 1000)));
    const line = `set ${name} 0 ${seconds} ${value.length}\r\n`;
    const { status } = await this.#serverOf(name).ask(
      Buffer.concat([Buffer.from(line), value, Buffer.from('\r\n')]),
    );
    if (status !== 'STORED') throw refused(status);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
  }

  /** The server that has the highest hash together with the name. */
  #serverOf(name: string): Server {
    let best = this.#servers[0];
    let highest = '';
    if (this.#servers.length === 1) return best;
    for (const server of this.#servers) {
      const hash = createHash('md5').update(`${server.address} ${name}`).digest('hex');
      if (hash > highest) [best, highest] = [server, hash];
    }
    return best;
  }
}

interface Waiting {
  resolve(reply: MemcachedReply): void;
  reject(error: Error): void;
  readonly cancelTimer: () => void;
}

/** One connection, made when it is needed; answers come in the order of questions. */
class Server {
  readonly address: string;
  readonly #options: MemcachedOptions;
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #connection: TcpConnection | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(address: string, options: MemcachedOptions, clock: Clock) {
    this.address = address;
    this.#options = options;
    this.#clock = clock;
  }

  ask(request: string | Uint8Array): Promise<MemcachedReply> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= WAITING_MAX)
        return reject(this.#unavailable('too many questions are waiting'));
      if (!this.#connection && this.#clock.monotonic() - this.#failedAt < RECONNECT_MS)
        return reject(this.#unavailable('it was away a moment ago'));
      // After a late answer nobody knows which question the next one is to.
      const late = () => this.#drop(this.#unavailable(`no answer within ${this.#options.timeoutMs} ms`));
      this.#waiting.push({ resolve, reject, cancelTimer: this.#clock.after(this.#options.timeoutMs, late) });
      this.#connection ??= this.#connect();
      this.#connection.write(request);
    });
  }

  close(): void {
    this.#drop(this.#unavailable('closed'));
  }

  #connect(): TcpConnection {
    const replies = new MemcachedReplies(this.#options.itemBytesMax + 1024);
    const at = this.address.lastIndexOf(':');
    const connection: TcpConnection = connectTcp(
      this.address.slice(0, at),
      Number(this.address.slice(at + 1)),
      {
        onData: (bytes) => {
          if (connection !== this.#connection) return;
          try {
            for (const reply of replies.push(bytes)) this.#settle(reply);
          } catch (error) {
            this.#drop(error as Error);
          }
        },
        onEnd: (error) => {
          if (connection === this.#connection) this.#drop(this.#unavailable(error?.message ?? 'it hung up'));
        },
      },
    );
    return connection;
  }

  #settle(reply: MemcachedReply): void {
    const first = this.#waiting.shift();
    first?.cancelTimer();
    first?.resolve(reply);
  }

  #drop(error: Error): void {
    this.#failedAt = this.#clock.monotonic();
    this.#connection?.destroy();
    this.#connection = undefined;
    for (const { reject, cancelTimer } of this.#waiting.splice(0)) {
      cancelTimer();
      reject(error);
    }
  }

  #unavailable(why: string): VeronaError {
    return new VeronaError('unavailable', `memcached ${this.address}: ${why}`);
  }
}

/** Keys of memcached have 250 bytes at most and no spaces. */
function nameOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}

function refused(status: string): VeronaError {
  return new VeronaError('unavailable', `memcached: ${status.slice(0, 100)}`);
}
