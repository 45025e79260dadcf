import type { BucketSync } from '../../blocks/bucket-sync.ts';
import type { DeletionRequests } from '../../blocks/deletion-requests.ts';
import { Shipper, type ShipperDeps } from '../../blocks/shipper.ts';
import { VeronaError } from '../../model/errors.ts';

export interface TenantShipperDeps extends ShipperDeps {
  readonly bucketSync: BucketSync;
  readonly deletions: DeletionRequests;
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
      .then(() => this.#ship())
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

  /** Resolves when the bucket has every block finished by now, and lists it. Throws `unavailable` when it does not get there. */
  async shipAll(): Promise<void> {
    // A round under way is joined; it may have begun before the newest block, so another one follows.
    const failed = [...(await this.#ship()), ...(await this.#ship())];
    if (failed.length > 0)
      throw new VeronaError(
        'unavailable',
        `blocks ${[...new Set(failed)].join(', ')} of tenant ${this.#tenant} are not in the bucket yet, see the log; the next round tries again`,
      );
  }

  /** Ships what there is and resolves with the blocks that failed. */
  async #ship(): Promise<readonly string[]> {
    const { uploaded, failed } = await this.#shipper.sync({ signal: this.#stopping.signal });
    if (uploaded > 0) await this.#deps.bucketSync.refresh(this.#tenant);
    return failed;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer();
    await this.#round;
  }
}
