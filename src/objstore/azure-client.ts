import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import type { AzureOptions, AzureSettings } from './azure-options.ts';

/** The container's client. Microsoft's libraries, which are large, are loaded on first use only; nothing is asked of the store. */
export async function openContainer(
  options: AzureOptions,
  settings: AzureSettings,
): Promise<ContainerClient> {
  const { BlobServiceClient, StorageSharedKeyCredential, AnonymousCredential } = await import(
    '@azure/storage-blob'
  );
  // Tries are counted and waited for by the bucket, under the caller's signal.
  const pipeline = { retryOptions: { maxTries: 1 }, keepAliveOptions: { enable: true } };
  const { storage_account, storage_account_key, storage_connection_string } = options;
  const service = () => {
    if (storage_connection_string)
      return BlobServiceClient.fromConnectionString(storage_connection_string, pipeline);
    if (!storage_account_key) return undefined;
    const credential = new StorageSharedKeyCredential(storage_account, storage_account_key);
    return new BlobServiceClient(settings.url, credential, pipeline);
  };
  // A signature in the address is a credential by itself.
  const signed = () =>
    new URL(settings.url).searchParams.has('sig')
      ? new BlobServiceClient(settings.url, new AnonymousCredential(), pipeline)
      : undefined;
  const opened =
    service() ?? signed() ?? new BlobServiceClient(settings.url, await identityOf(options), pipeline);
  return opened.getContainerClient(options.container);
}

/** An application's secret, a managed identity, or what the environment has, in this order. */
async function identityOf(options: AzureOptions): Promise<TokenCredential> {
  const { ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential } = await import(
    '@azure/identity'
  );
  const { az_tenant_id, client_id, client_secret, user_assigned_id } = options;
  if (az_tenant_id && client_id && client_secret)
    return new ClientSecretCredential(az_tenant_id, client_id, client_secret);
  if (user_assigned_id) return new ManagedIdentityCredential({ clientId: user_assigned_id });
  return new DefaultAzureCredential();
}
