/**
 * The body of an answer while its thread still writes it: parts come in by `push`, and go out to one reader. `taken` is
 * told the bytes of each part that the reader took, so that the thread never runs far ahead; `abandoned` is called once
 * when the reader stops early.
 */
export class PartStream implements AsyncIterable<Uint8Array> {
  readonly #taken: (bytes: number) => void;
  readonly #abandoned: () => void;
  readonly #parts: Uint8Array[] = [];
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(taken: (bytes: number) => void, abandoned: () => void) {
    this.#taken = taken;
    this.#abandoned = abandoned;
  }

  push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#wake?.();
  }

  /** No part follows; with an error the reader fails after the parts that are here. */
  end(failure?: Error): void {
    this.#ended = true;
    this.#failure ??= failure;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const part = this.#parts.shift();
        if (part) {
          this.#taken(part.length);
          yield part;
        } else if (this.#ended) {
          if (this.#failure) throw this.#failure;
          return;
        } else await this.#woken();
      }
    } finally {
      if (!this.#ended) this.#abandoned();
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
