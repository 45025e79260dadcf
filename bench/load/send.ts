import { Agent, request } from 'node:http';

export interface SendStats {
  requests: number;
  samples: number;
  failures: number;
  /** The slowest request, ms. */
  slowestMs: number;
  wallSeconds: number;
  /** Why the last one failed, as the store or the connection said it. */
  lastFailure?: string;
}

/** Posts remote write bodies over a few keep-alive connections and counts what was acknowledged. */
export class Sender {
  readonly #agent: Agent;
  readonly #url: URL;
  readonly #connections: number;
  readonly stats: SendStats = { requests: 0, samples: 0, failures: 0, slowestMs: 0, wallSeconds: 0 };

  constructor(url: string, connections: number) {
    this.#url = new URL(url);
    this.#connections = connections;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Sends every body, `connections` at a time, asking for the next only when one is free. A refused body is tried again up to 5 times. */
  async send(bodies: Iterable<{ body: Uint8Array; samples: number }>): Promise<void> {
    const iterator = bodies[Symbol.iterator]();
    const lane = async () => {
      for (let next = iterator.next(); !next.done; next = iterator.next())
        await this.#deliver(next.value.body, next.value.samples);
    };
    const begin = performance.now();
    await Promise.all(Array.from({ length: this.#connections }, lane));
    this.stats.wallSeconds += (performance.now() - begin) / 1000;
  }

  async #deliver(body: Uint8Array, samples: number): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt++) {
      const begin = performance.now();
      const failure = await this.#post(body).catch((error: Error) => error.message);
      this.stats.requests++;
      this.stats.slowestMs = Math.max(this.stats.slowestMs, performance.now() - begin);
      if (!failure) {
        this.stats.samples += samples;
        return;
      }
      this.stats.failures++;
      this.stats.lastFailure = failure;
      await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));
    }
  }

  /** What went wrong; nothing when the body was taken. */
  #post(body: Uint8Array): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        this.#url,
        {
          method: 'POST',
          agent: this.#agent,
          headers: {
            'content-type': 'application/x-protobuf',
            'content-encoding': 'snappy',
            'x-prometheus-remote-write-version': '0.1.0',
            'content-length': body.length,
          },
        },
        (response) => {
          const { statusCode = 0 } = response;
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            if (text.length < 200) text += chunk;
          });
          response.once('end', () =>
            resolve(statusCode >= 200 && statusCode < 300 ? undefined : `${statusCode} ${text}`),
          );
          response.once('error', reject);
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
