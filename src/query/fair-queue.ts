/** Waiting work of many tenants: tenants take turns, each in the order of arrival. Bounded over all tenants. */
export class FairQueue<T> {
  readonly #lengthMax: number;
  /** In the order of turns; the tenant at the front is next. */
  readonly #byTenant = new Map<string, T[]>();
  #length = 0;

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  get length(): number {
    return this.#length;
  }

  /** False when the queue is full. */
  push(tenant: string, item: T): boolean {
    if (this.#length >= this.#lengthMax) return false;
    const items = this.#byTenant.get(tenant);
    if (items) items.push(item);
    else this.#byTenant.set(tenant, [item]);
    this.#length++;
    return true;
  }

  /** The next item; its tenant goes to the end of the line. */
  shift(): T | undefined {
    for (const [tenant, items] of this.#byTenant) {
      this.#byTenant.delete(tenant);
      const item = items.shift();
      if (items.length > 0) this.#byTenant.set(tenant, items);
      this.#length--;
      return item;
    }
    return undefined;
  }

  remove(tenant: string, item: T): boolean {
    const items = this.#byTenant.get(tenant);
    const at = items?.indexOf(item) ?? -1;
    if (!items || at < 0) return false;
    items.splice(at, 1);
    if (items.length === 0) this.#byTenant.delete(tenant);
    this.#length--;
    return true;
  }
}
