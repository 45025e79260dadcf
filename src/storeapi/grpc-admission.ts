import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { VeronaError } from '../model/errors.ts';
import { toGrpcError } from './grpc-status.ts';

/** Somebody who may call: for these tenants, or for all when undefined. */
export interface Caller {
  readonly tenants: readonly string[] | undefined;
}

/** Who shows this `authorization`; undefined when it does not let in. */
export type Admit = (authorization: string | undefined) => Promise<Caller | undefined>;

/** What says nothing about anybody's data: the contract, and whether somebody is there. */
const OPEN_TO_ALL = /^\/grpc\.(health|reflection)\./;

/**
 * Decides who may call, by the metadata and before a request is read: a call without good credentials ends with
 * UNAUTHENTICATED. Handlers are told who calls by the metadata they get.
 */
export class Admission {
  readonly #admit: () => Admit;
  readonly #refused: () => void;
  readonly #callers = new WeakMap<Metadata, Caller>();

  /** `admit` is asked for with each call, since credentials change. */
  constructor(admit: () => Admit, refused: () => void) {
    this.#admit = admit;
    this.#refused = refused;
  }

  readonly interceptor: ServerInterceptor = ({ path }, call) => {
    if (OPEN_TO_ALL.test(path)) return new ServerInterceptingCall(call);
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        this.#know(metadata).then(
          () => next(metadata),
          (error: unknown) => call.sendStatus(toGrpcError(error)),
        );
      })
      .build();
    const responder = new ResponderBuilder().withStart((next) => next(listener)).build();
    return new ServerInterceptingCall(call, responder);
  };

  /** Who calls, by the metadata that the interceptor saw. */
  caller(metadata: Metadata): Caller {
    const caller = this.#callers.get(metadata);
    if (!caller) throw new VeronaError('unauthenticated', 'credentials are missing or wrong');
    return caller;
  }

  async #know(metadata: Metadata): Promise<void> {
    const [authorization] = metadata.get('authorization');
    const caller = await this.#admit()(typeof authorization === 'string' ? authorization : undefined);
    if (!caller) {
      this.#refused();
      throw new VeronaError('unauthenticated', 'credentials are missing or wrong');
    }
    this.#callers.set(metadata, caller);
  }
}
