import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { type MovablePort, openPort, type Port } from '../platform/threads.ts';
import type {
  PartRequest,
  PartResult,
  PlainRows,
  SeriesTeam,
  TeamMember,
} from '../promql/exec/series-team.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import type { CancelFlag } from './cancel-flags.ts';
import { fromPlainError } from './plain-error.ts';
import { buffersBelow, type FromMember, type ToMember } from './team-protocol.ts';

/** How many queries a thread runs, in memory that all see. */
export type ThreadLoad = Int32Array<SharedArrayBuffer>;

export function makeThreadLoad(): ThreadLoad {
  return new Int32Array(new SharedArrayBuffer(4));
}

interface Peer {
  readonly port: Port;
  readonly load: ThreadLoad;
}

/** The other query threads as one of them sees them. */
export class ThreadTeam {
  readonly #clock: Clock;
  readonly #peers = new Set<Peer>();
  readonly #members = new Map<number, RemoteMember>();
  readonly #wantHelp: () => void;
  #nextPart = 1;

  /** `wantHelp` is called when a query would be faster with one more thread. */
  constructor(clock: Clock, wantHelp: () => void) {
    this.#clock = clock;
    this.#wantHelp = wantHelp;
  }

  meet(moved: MovablePort, load: ThreadLoad): Port {
    const port = openPort(moved, () => this.#part(peer));
    const peer: Peer = { port, load };
    this.#peers.add(peer);
    port.onMessage((message) => this.#receive(message as FromMember | ToMember));
    return port;
  }

  /** For one query, which is over at `deadline` (monotonic ms) or when the flag is raised. */
  forQuery(cancel: CancelFlag, deadline: number): SeriesTeam {
    return {
      join: (request) => {
        const idle = [...this.#peers].filter(({ load }) => Atomics.load(load, 0) === 0);
        if (this.#peers.size === 0) this.#wantHelp();
        return idle.map((peer) => this.#begin(peer, request, cancel, deadline));
      },
    };
  }

  #begin(peer: Peer, request: PartRequest, cancel: CancelFlag, deadline: number): RemoteMember {
    const part = this.#nextPart++;
    const member = new RemoteMember(peer, part, () => this.#members.delete(part));
    this.#members.set(part, member);
    const timeoutMs = deadline - this.#clock.monotonic();
    const { done } = member;
    peer.port.post({ type: 'begin', part, request, cancel, timeoutMs, done } satisfies ToMember);
    return member;
  }

  #receive(message: FromMember | ToMember): void {
    if (message.type === 'rows' || message.type === 'result' || message.type === 'failure')
      this.#members.get(message.part)?.receive(message);
  }

  /** A thread that ended takes its parts with it. */
  #part(peer: Peer): void {
    this.#peers.delete(peer);
    for (const member of this.#members.values())
      if (member.peer === peer) member.fail(new VeronaError('execution', 'a helping query thread ended'));
  }
}

class RemoteMember implements TeamMember {
  readonly peer: Peer;
  /** Batches that are done, counted by the member. */
  readonly done = new Int32Array(new SharedArrayBuffer(4));
  #sent = 0;
  readonly #part: number;
  readonly #forget: () => void;
  /** Of the batches under way, in their order. */
  readonly #rows: PromiseWithResolvers<readonly PlainRows[]>[] = [];
  readonly #result = Promise.withResolvers<PartResult>();
  #failure: Error | undefined;
  #isDone = false;

  constructor(peer: Peer, part: number, forget: () => void) {
    this.peer = peer;
    this.#part = part;
    this.#forget = forget;
    this.#result.promise.catch(() => {});
  }

  get waiting(): number {
    return this.#sent - Atomics.load(this.done, 0);
  }

  evaluate(batch: SeriesBatch): Promise<readonly PlainRows[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const rows = Promise.withResolvers<readonly PlainRows[]>();
    this.#rows.push(rows);
    this.#sent++;
    this.#post({ type: 'batch', part: this.#part, batch }, [...buffersBelow(batch)]);
    return rows.promise;
  }

  finish(): Promise<PartResult> {
    if (this.#failure === undefined) this.#post({ type: 'end', part: this.#part });
    return this.#result.promise;
  }

  close(): void {
    if (this.#isDone) return;
    this.#end();
    this.#post({ type: 'forget', part: this.#part });
  }

  receive(message: FromMember): void {
    if (message.type === 'rows') this.#rows.shift()?.resolve(message.rows);
    else if (message.type === 'failure') this.fail(fromPlainError(message.error));
    else {
      this.#end();
      this.#result.resolve(message.result);
    }
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#end();
    for (const { reject } of this.#rows.splice(0)) reject(error);
    this.#result.reject(error);
  }

  #end(): void {
    this.#isDone = true;
    this.#forget();
  }

  #post(message: ToMember, transfer?: ArrayBuffer[]): void {
    this.peer.port.post(message, transfer);
  }
}
