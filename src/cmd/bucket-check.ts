import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { checkBlocks, type Finding } from '../blocks/check-bucket.ts';
import {
  DELETION_SIZE_BYTES_MAX,
  DELETIONS_FOLDER,
  deletionId,
  parseDeletionRequest,
} from '../blocks/deletion-request.ts';
import { downloadBlock } from '../compactor/download.ts';
import { verifyBlocks } from '../tsdb/tools/verify.ts';
import { addBucketOptions, type BucketTool, chosenBlocks, print, say, withBucket } from './bucket-tool.ts';
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
    .action((given) =>
      withBucket(given, async (tool, { json }) => {
        const findings: Finding[] = [];
        for (const [tenant, view] of await tool.tenants())
          findings.push(
            ...checkBlocks(view, tool.clock.now(), PARTIAL_DELAY_MS),
            ...(await checkDeletions(tool, tenant)),
          );
        if (json) print(`${JSON.stringify(findings)}\n`);
        else for (const { severity, where, text } of findings) print(`${severity}: ${where}: ${text}\n`);
        const isBad = findings.some(({ severity }) => severity === 'error' || given.strict === true);
        if (isBad) process.exitCode = EXIT.failed;
        else say(`${findings.length} warnings, no errors`);
      }),
    );
  addBucketOptions(
    bucket
      .command('verify')
      .description(
        'read whole blocks: order, checksums, symbols, chunks and counts; exit code 1 when one is bad',
      ),
  )
    .argument('[ulid...]', 'blocks; without any all of them')
    .action((ulids: string[], given) =>
      withBucket(given, async (tool, { json }) => {
        const blocks = chosenBlocks(await tool.tenants(), ulids);
        const verdicts: { folder: string; good: boolean; text: string }[] = [];
        for (const [i, block] of blocks.entries()) {
          const verdict = await verify(tool, block);
          verdicts.push(verdict);
          if (!json) print(verdict.text);
          say(`${i + 1}/${blocks.length} ${verdict.folder}: ${verdict.good ? 'good' : 'BAD'}`);
        }
        if (json) print(`${JSON.stringify(verdicts)}\n`);
        if (verdicts.some(({ good }) => !good)) process.exitCode = EXIT.failed;
      }),
    );
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

/** Fetches a block into a folder that is removed afterwards. */
async function verify({ ctx, bucket, disk }: BucketTool, block: BucketBlock) {
  const { folder, ulid } = block.ref;
  const dir = mkdtempSync(join(tmpdir(), 'verona-verify-'));
  try {
    await downloadBlock(ctx, bucket, disk, block, join(dir, ulid));
    const { text, good } = await verifyBlocks(disk, dir, ctx.signal);
    return { folder, good, text };
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    return { folder, good: false, text: `${ulid} BAD\n  ${(error as Error).message}\n` };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
