/** Whose the blocks directly below the bucket's root are. Without either setting they are nobody's and are left alone. */
export interface RootTenancy {
  /** The external label whose value is the tenant, as Thanos' receivers set `tenant_id`; empty for none. */
  readonly tenantLabel: string;
  /** Who owns the blocks that lack the label; empty for nobody. */
  readonly tenant: string;
  /** Whether a label's value may be a tenant's name. */
  isTenant(name: string): boolean;
}

/**
 * The owner of a block by its external labels; undefined when it is nobody's. A block whose label names no possible
 * tenant is nobody's too: it must not fall to the one that owns the rest.
 */
export function rootTenantOf(
  labels: Readonly<Record<string, string>>,
  tenancy: RootTenancy,
): string | undefined {
  const named = tenancy.tenantLabel === '' ? undefined : labels[tenancy.tenantLabel];
  if (named !== undefined && named !== '') return tenancy.isTenant(named) ? named : undefined;
  return tenancy.tenant === '' ? undefined : tenancy.tenant;
}
