import { VeronaError } from '../model/errors.ts';

const TENANT_ID_LENGTH_MAX = 150;

/** Cortex' header and Thanos' header, in lower case; both may stand in a request when they agree. */
const TENANT_HEADERS = ['x-scope-orgid', 'thanos-tenant'] as const;

/** Names that mean something else next to the tenants in a bucket, or lead out of a folder. */
const FORBIDDEN = new Set(['.', '..', '__markers__', 'user-index.json.gz']);

/** A folder of that name directly in a bucket is a block in Thanos' layout. */
const BLOCK_NAME = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/**
 * The tenant a request speaks for: what its header says, or `defaultTenant` when it has none or an empty one.
 * Header names are in lower case. Throws `bad_data` when the name is not valid, when two headers differ, and for several
 * tenants at once (`a|b`).
 */
export function tenantOf(
  headers: Readonly<Record<string, string | undefined>>,
  defaultTenant: string,
): string {
  let tenant: string | undefined;
  for (const header of TENANT_HEADERS) {
    const value = headers[header];
    if (!value) continue;
    if (tenant !== undefined && tenant !== value)
      throw new VeronaError(
        'bad_data',
        `${TENANT_HEADERS.join(' and ')} name different tenants, ${quoted(tenant)} and ${quoted(value)}`,
      );
    tenant = value;
  }
  return checkTenantId(tenant ?? defaultTenant);
}

/**
 * The same name when it can be a tenant's, by Cortex' rules: 1 to 150 of `0-9 a-z A-Z ! - _ . * ' ( )`, none of the
 * names above, and not shaped like a block's. Throws `bad_data`.
 */
export function checkTenantId(tenant: string): string {
  if (tenant === '') throw invalid('it is empty');
  if (tenant.includes('|') && tenant.length <= TENANT_ID_LENGTH_MAX)
    throw invalid(`${quoted(tenant)} names several tenants; one is expected`);
  // Only ASCII passes the next check, so characters are bytes.
  if (tenant.length > TENANT_ID_LENGTH_MAX)
    throw invalid(`it has ${tenant.length} characters, ${TENANT_ID_LENGTH_MAX} are allowed`);
  const wrong = /[^0-9a-zA-Z!\-_.*'()]/u.exec(tenant);
  if (wrong)
    throw invalid(`${quoted(tenant)} has the character ${JSON.stringify(wrong[0])} at ${wrong.index}`);
  if (FORBIDDEN.has(tenant) || BLOCK_NAME.test(tenant)) throw invalid(`${quoted(tenant)} is reserved`);
  return tenant;
}

function invalid(why: string): VeronaError {
  return new VeronaError('bad_data', `tenant id: ${why}`);
}

/** Client text for a message: quoted, and not longer than a name may be. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, TENANT_ID_LENGTH_MAX));
}
