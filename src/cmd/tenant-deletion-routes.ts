import { readTenantDeletion, writeTenantDeletion } from '../blocks/tenant-deletion.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { Clock } from '../platform/clock.ts';
import type { Route } from '../platform/http.ts';

/** Cortex' `/purger/delete_tenant` and its status: everything that the tenant of the request has in the bucket is to go. */
export function tenantDeletionRoutes(bucket: Bucket, clock: Clock): Route[] {
  return [
    {
      path: '/purger/delete_tenant',
      methods: ['POST'],
      bodyMax: 1024,
      handle: async ({ tenant, signal }) => {
        const known = await readTenantDeletion({ signal }, bucket, tenant);
        if (!known)
          await writeTenantDeletion({ signal }, bucket, tenant, {
            requestedMs: clock.now(),
            finishedMs: undefined,
          });
        return { status: 200 };
      },
    },
    {
      path: '/purger/delete_tenant_status',
      methods: ['GET'],
      bodyMax: 0,
      handle: async ({ tenant, signal }) => {
        const mark = await readTenantDeletion({ signal }, bucket, tenant);
        const body = { tenant_id: tenant, blocks_deleted: mark?.finishedMs !== undefined };
        const headers = { 'content-type': 'application/json' };
        return { status: 200, headers, body: JSON.stringify(body) };
      },
    },
  ];
}
