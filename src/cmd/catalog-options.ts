import type { BlockCatalogOptions } from '../blocks/block-catalog.ts';
import type { RootTenancy } from '../blocks/root-tenancy.ts';
import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { checkTenantId } from '../tenancy/tenant-id.ts';

/** How the bucket's blocks are looked at. Throws `bad_data` for a tenant that cannot be. */
export function catalogOptions({ objstore }: Config): BlockCatalogOptions {
  const { ignore_deletion_marks_delay, consistency_delay, thanos_tenant_label, thanos_tenant } = objstore;
  return {
    ignoreDeletionMarksDelayMs: ignore_deletion_marks_delay,
    consistencyDelayMs: consistency_delay,
    ...rootTenancy(thanos_tenant_label, thanos_tenant),
  };
}

/** Whose the blocks in Thanos' layout are; nothing when neither is given. */
export function rootTenancy(tenantLabel: string, tenant: string): { readonly rootTenancy?: RootTenancy } {
  if (tenantLabel === '' && tenant === '') return {};
  if (tenant !== '') checkTenantId(tenant);
  return { rootTenancy: { tenantLabel, tenant, isTenant } };
}

function isTenant(name: string): boolean {
  try {
    checkTenantId(name);
    return true;
  } catch (error) {
    if (error instanceof VeronaError) return false;
    throw error;
  }
}
