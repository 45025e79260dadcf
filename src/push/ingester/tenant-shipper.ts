import type { BucketSync } from '../../blocks/bucket-sync.ts';
import { Shipper, type ShipperDeps } from '../../blocks/shipper.ts';

export interface TenantShipperDeps extends ShipperDeps {
  readonly bucketSync: BucketSync;
  readonly intervalMs: number;
}

/** Ships a tenant's blocks when one is made and at an interval, in the background. */
export class TenantShipper {
  readonly #tenant: string;
  readonly #deps: TenantShipperDeps;
  readonly #shipper: Shipper;
  readonly #stopping = new AbortController();
  #cancelTimer: () => void = () => {};
  #round: Promise<void> = Promise.resolve();

  private constructor(tenant: string, deps: TenantShipperDeps, shipper: Shipper) {
    this.#tenant = tenant;
    this.#deps = deps;
    this.#shipper = shipper;
  }

  static async start(
    { tenant, dir }: { readonly tenant: string; readonly dir: string },
    deps: TenantShipperDeps,
  ): Promise<TenantShipper> {
    const shipper = new TenantShipper(tenant, deps, await Shipper.open({ tenant, dir }, deps));
    shipper.wake();
    return shipper;
  }

  /** Whether a block is whole in the bucket and queries see it there. */
  isSafe(ulid: string): boolean {
    return (
      this.#shipper.isShipped(ulid) &&
      this.#deps.bucketSync.blocksOf(this.#tenant).some((block) => block.meta.sources.includes(ulid))
    );
  }

  /** Ships soon, without anybody waiting for it. */
  wake(): void {
    this.#cancelTimer();
    if (this.#stopping.signal.aborted) return;
    this.#round = this.#round
      .then(() => this.ship())
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted)
          this.#deps.log.warn('blocks were not shipped; the next round tries again', {
            error: String(error),
          });
      })
      .then(() => {
        if (!this.#stopping.signal.aborted)
          this.#cancelTimer = this.#deps.clock.after(this.#deps.intervalMs, () => this.wake());
      });
  }

  /** Ships what there is; resolves when the bucket has it and lists it. */
  async ship(): Promise<void> {
    const { uploaded } = await this.#shipper.sync({ signal: this.#stopping.signal });
    if (uploaded > 0) await this.#deps.bucketSync.refresh(this.#tenant);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer();
    await this.#round;
  }
}
