import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';

/** Something with a life: started in order, stopped in the opposite order. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts services one after the other; when one fails, stops those already started. Ready once all are. */
export class Lifecycle {
  readonly #services: readonly Service[];
  readonly #log: Logger;
  readonly #clock: Clock;
  #started = 0;
  #ready = false;

  constructor(services: readonly Service[], log: Logger, clock: Clock) {
    this.#services = services;
    this.#log = log;
    this.#clock = clock;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Rejects with the error of the service that failed, its name in front. */
  async start(): Promise<void> {
    for (const service of this.#services) {
      const begin = this.#clock.monotonic();
      try {
        await service.start();
      } catch (error) {
        await this.stop();
        throw error;
      }
      this.#started++;
      this.#log.debug('started', { service: service.name, ms: Math.round(this.#clock.monotonic() - begin) });
    }
    this.#ready = true;
  }

  /** Stops everything that was started, newest first; a failure is logged and does not keep the rest from stopping. False when one failed. */
  async stop(): Promise<boolean> {
    this.#ready = false;
    let clean = true;
    while (this.#started > 0) {
      const service = this.#services[--this.#started];
      try {
        await service.stop();
        this.#log.debug('stopped', { service: service.name });
      } catch (error) {
        clean = false;
        this.#log.error('a service did not stop cleanly', { service: service.name, error: String(error) });
      }
    }
    return clean;
  }
}
