/** One piece of work by its name at a time, for all who ask meanwhile. */
export class SingleFlight<T> {
  readonly #loading = new Map<string, Promise<T>>();

  /** What somebody is loading already, or else what `load` gives. Work of another caller that failed, or that he cancelled, is done again. */
  async run(name: string, load: () => Promise<T>): Promise<T> {
    const others = this.#loading.get(name);
    if (others) return others.catch(() => load());
    const own = load();
    this.#loading.set(name, own);
    try {
      return await own;
    } finally {
      this.#loading.delete(name);
    }
  }
}
