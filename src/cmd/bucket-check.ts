import type { Command } from 'commander';
import { checkBlocks, type Finding } from '../blocks/check-bucket.ts';
import {
  DELETION_SIZE_BYTES_MAX,
  DELETIONS_FOLDER,
  deletionId,
  parseDeletionRequest,
} from '../blocks/deletion-request.ts';
import { isTenantFolder } from '../blocks/layout.ts';
import { checkTenantId } from '../tenancy/tenant-id.ts';
import { addBucketOptions, type BucketTool, oneLine, print, say, withBucket } from './bucket-tool.ts';
import { addVerifyCommand } from './bucket-verify.ts';
import { EXIT } from './exit.ts';

const PARTIAL_DELAY_MS = 48 * 3_600_000;

/** `verona bucket fsck|verify`: is it good. Exit code 1 when it is not. */
export function addCheckCommands(bucket: Command): void {
  addBucketOptions(
    bucket
      .command('fsck')
      .description(
        'look for missing and odd files, leftovers, overlaps and requests that cannot be read, by listings alone; exit code 1 for errors',
      ),
  )
    .option('--strict', 'exit code 1 for warnings too')
    .addHelpText('after', FSCK_HELP)
    .action((given) =>
      withBucket(given, async (tool, { json, tenant }) => {
        const findings: Finding[] = [];
        const tenants = await tool.tenants();
        if (tenant === undefined) findings.push(...(await checkFolders(tool)));
        for (const [name, view] of tenants)
          findings.push(
            ...checkBlocks(view, tool.clock.now(), PARTIAL_DELAY_MS, tool.broken),
            ...(await checkDeletions(tool, name)),
          );
        if (json) print(`${JSON.stringify(findings)}\n`);
        else
          for (const { severity, where, text } of findings)
            print(`${oneLine(`${severity}: ${where}: ${text}`)}\n`);
        const isBad = findings.some(({ severity }) => severity === 'error' || given.strict === true);
        if (isBad) process.exitCode = EXIT.failed;
        else say(`${findings.length} warnings, no errors`);
      }),
    );
  addVerifyCommand(bucket);
}

const FSCK_HELP = `
Quick: nothing but listings and small files. verona bucket verify reads whole blocks.
Exit code: 0 without errors, 1 with one (with --strict: or a warning), 2 for a wrong command line.

Example, once a day:
  verona bucket fsck --objstore.config-file bucket.yml --json || alert
`;

/** Folders that look like those of a tenant and cannot be one: nobody looks after what is in them. */
async function checkFolders({ ctx, bucket }: BucketTool): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const { kind, key } of bucket.list(ctx, '')) {
    const name = key.slice(0, -1);
    if (kind !== 'folder' || !isTenantFolder(name)) continue;
    try {
      checkTenantId(name);
    } catch (error) {
      findings.push({ severity: 'warning', where: key, text: (error as Error).message });
    }
  }
  return findings;
}

async function checkDeletions({ ctx, bucket }: BucketTool, tenant: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const prefix = `${tenant}/${DELETIONS_FOLDER}/`;
  for await (const { key } of bucket.list(ctx, prefix)) {
    const id = deletionId(key.slice(prefix.length));
    try {
      if (id) parseDeletionRequest(await bucket.get(ctx, key, DELETION_SIZE_BYTES_MAX), key, id);
    } catch (error) {
      findings.push({ severity: 'error', where: key, text: (error as Error).message });
    }
  }
  return findings;
}
