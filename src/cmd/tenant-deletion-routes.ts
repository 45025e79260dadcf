import type { BlockCatalog } from '../blocks/block-catalog.ts';
import type { Route } from '../platform/http.ts';

interface TenantDeletionParts {
  /** Resolves when the tenant is marked in the bucket and this process has nothing of it any more. */
  readonly deleteTenant: (ctx: { readonly signal: AbortSignal }, tenant: string) => Promise<void>;
  readonly catalog: BlockCatalog;
}

/** Cortex' `/purger/delete_tenant` and its status: everything that the tenant of the request has is to go. */
export function tenantDeletionRoutes({ deleteTenant, catalog }: TenantDeletionParts): Route[] {
  return [
    {
      path: '/purger/delete_tenant',
      methods: ['POST'],
      refusesForeignOrigins: true,
      bodyMax: 1024,
      handle: async ({ tenant, signal }) => {
        await deleteTenant({ signal }, tenant);
        return { status: 200 };
      },
    },
    {
      path: '/purger/delete_tenant_status',
      methods: ['GET'],
      bodyMax: 0,
      handle: async ({ tenant, signal }) => {
        const { whole, unfinished } = await catalog.refresh({ signal }, tenant, { full: true });
        const body = { tenant_id: tenant, blocks_deleted: whole.length + unfinished.length === 0 };
        const headers = { 'content-type': 'application/json' };
        return { status: 200, headers, body: JSON.stringify(body) };
      },
    },
  ];
}
