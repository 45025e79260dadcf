import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a target answers to one scrape: a body of Prometheus' text, a whole answer, or nothing at all. */
export type ScriptedAnswer =
  | string
  | { readonly type?: string; readonly status?: number; readonly body: string | Uint8Array }
  | 'never';

/** By path of the target, the answers to the scrapes of each client in turn; the last one goes on. */
export type Script = Readonly<Record<string, readonly ScriptedAnswer[]>>;

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/** A target that says what it is told to say, to every client from the beginning. Until it begins it is unavailable. */
export class ExpositionServer {
  readonly #server: Server;
  readonly #scrapes = new Map<string, number>();
  readonly #early = new Map<string, number>();
  #hasBegun = false;

  constructor(script: Script) {
    this.#server = createServer((request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
      const answers = script[path];
      if (answers === undefined) return response.writeHead(404).end();
      const client = `${request.headers['user-agent']?.split('/')[0].toLowerCase()} ${path}`;
      if (!this.#hasBegun) {
        this.#early.set(client, this.early(client) + 1);
        return response.writeHead(503).end();
      }
      const index = this.#scrapes.get(client) ?? 0;
      this.#scrapes.set(client, index + 1);
      const answer = answers[Math.min(index, answers.length - 1)];
      if (answer === 'never') return;
      const { type = TEXT, status = 200, body } = typeof answer === 'string' ? { body: answer } : answer;
      response.writeHead(status, { 'content-type': type }).end(body);
    });
  }

  /** Host and port, once it listens. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  begin(): void {
    this.#hasBegun = true;
  }

  /** How often a client (its product and the path) asked before. */
  early(client: string): number {
    return this.#early.get(client) ?? 0;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
