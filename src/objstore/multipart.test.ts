import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PartStore, uploadParts } from './multipart.ts';

const PART_BYTES = 10;
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** Keeps uploads in memory, and fails at one of its calls. */
class PartsInMemory implements PartStore {
  readonly partSizeBytes = PART_BYTES;
  readonly open = new Map<string, Uint8Array[]>();
  readonly #failAt: number;
  stored: Buffer | undefined;
  underWay = 0;
  underWayMax = 0;
  #calls = 0;

  constructor(failAt: number) {
    this.#failAt = failAt;
  }

  async put(whole: Uint8Array): Promise<void> {
    await this.#call();
    this.stored = Buffer.from(whole);
  }

  async begin(): Promise<string> {
    await this.#call();
    this.open.set('u', []);
    return 'u';
  }

  async putPart(id: string, number: number, part: Uint8Array, signal: AbortSignal): Promise<string> {
    this.underWayMax = Math.max(this.underWayMax, ++this.underWay);
    try {
      for (let i = 0; i < number % 3; i++) await tick();
      await this.#call();
      signal.throwIfAborted();
      const parts = this.open.get(id);
      if (!parts) throw new Error('a part after its upload was taken back');
      parts[number - 1] = part.slice();
      return `tag ${number}`;
    } finally {
      this.underWay--;
    }
  }

  async complete(id: string, tags: readonly string[], sizeBytes: number): Promise<void> {
    await this.#call();
    const whole = Buffer.concat(this.open.get(id) ?? []);
    expect(tags).toEqual(tags.map((_, i) => `tag ${i + 1}`));
    expect(whole.length).toBe(sizeBytes);
    this.stored = whole;
    this.open.delete(id);
  }

  async abort(id: string): Promise<void> {
    this.open.delete(id);
  }

  async #call(): Promise<void> {
    await tick();
    if (++this.#calls === this.#failAt) throw new Error('the store failed');
  }
}

test('an upload ends as a whole or leaves nothing, whatever fails and whenever it is cancelled', async () => {
  const plan = fc.record({
    pieces: fc.array(fc.nat(25), { maxLength: 12 }),
    failAt: fc.option(fc.integer({ min: 1, max: 16 })),
    sourceFailsAt: fc.option(fc.nat(12)),
    cancelAfter: fc.option(fc.nat(30)),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ pieces, failAt, sourceFailsAt, cancelAfter }) => {
      const bytes = Buffer.alloc(pieces.reduce((sum, length) => sum + length, 0)).map((_, i) => i % 251);
      const body = async function* () {
        let at = 0;
        for (const [i, length] of pieces.entries()) {
          if (i === sourceFailsAt) throw new Error('the source failed');
          await tick();
          yield bytes.subarray(at, at + length);
          at += length;
        }
      };
      const store = new PartsInMemory(failAt ?? 0);
      const controller = new AbortController();
      const upload = uploadParts(controller, body(), store).then(
        () => true,
        () => false,
      );
      for (let i = 0; i < (cancelAfter ?? -1); i++) await tick();
      if (cancelAfter !== null) controller.abort();
      const isDone = await upload;
      expect(store.underWay).toBe(0);
      expect(store.underWayMax).toBeLessThanOrEqual(4);
      expect(store.open.size).toBe(0);
      if (isDone) expect(store.stored && Buffer.compare(store.stored, bytes)).toBe(0);
      else if (failAt === null && cancelAfter === null) expect(sourceFailsAt).not.toBeNull();
    }),
    { numRuns: 300 },
  );
});
