/**
 * A signal that aborts with its parent or by itself. Unlike `AbortSignal.any` it asks the parent each time, because a
 * parent may look at shared memory and the clock (`query/shared-signal.ts`) and be aborted before it can say so.
 */
export class LinkedSignal extends EventTarget implements AbortSignal {
  readonly #parent: AbortSignal;
  readonly #own = new AbortController();
  readonly #onParent = () => this.abort(this.#parent.reason);
  onabort: AbortSignal['onabort'] = null;

  constructor(parent: AbortSignal) {
    super();
    this.#parent = parent;
    parent.addEventListener('abort', this.#onParent, { once: true });
  }

  get aborted(): boolean {
    return this.#own.signal.aborted || this.#parent.aborted;
  }

  get reason(): unknown {
    return this.#own.signal.aborted ? this.#own.signal.reason : this.#parent.reason;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  /** Aborts this one only, and tells listeners. Later calls do nothing. */
  abort(reason: unknown): void {
    this.unlink();
    if (this.#own.signal.aborted) return;
    this.onabort?.call(this, new Event('abort'));
    this.#own.abort(reason);
  }

  /** Listeners are a real signal's: a select of many blocks has one for each, which Node takes for a leak of other targets. */
  override addEventListener(...listener: Parameters<AbortSignal['addEventListener']>): void {
    this.#own.signal.addEventListener(...listener);
  }

  override removeEventListener(...listener: Parameters<AbortSignal['removeEventListener']>): void {
    this.#own.signal.removeEventListener(...listener);
  }

  /** No longer hears of the parent's abort by event; to be called at the end of what the signal was for. */
  unlink(): void {
    this.#parent.removeEventListener('abort', this.#onParent);
  }
}
