import { type Command, Option } from 'commander';
import { BlockMarker } from '../blocks/block-marker.ts';
import { MARK_KINDS, type MarkKind } from '../blocks/marks.ts';
import { planCleanup } from '../compactor/cleanup.ts';
import { addBucketOptions, durationOf, findAnyBlock, print, say, withBucket } from './bucket-tool.ts';
import { forEachNamed } from './tool-progress.ts';

interface MarkOptions {
  readonly marker: MarkKind;
  readonly reason?: string;
  readonly details?: string;
  readonly hidden?: boolean;
  readonly dryRun?: boolean;
}

/** `verona bucket mark|unmark|cleanup`: what is to become of blocks. */
export function addMarkCommands(bucket: Command): void {
  const kinds = () =>
    new Option('--marker <kind>', 'which mark').choices([...MARK_KINDS]).makeOptionMandatory();
  addBucketOptions(
    bucket.command('mark').description('mark blocks; one that has the mark keeps it with its time'),
  )
    .argument('<ulid...>')
    .addOption(kinds())
    .option('--reason <word>', 'why, in a word')
    .option('--details <text>', 'why, in a sentence')
    .option('--hidden', 'quarantine only: the block cannot be read, queries leave it out and say so')
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', MARK_HELP)
    .action((ulids: string[], given: MarkOptions & Record<string, unknown>) =>
      change(ulids, given, 'mark', (marker, ctx, ref) => marker.mark(ctx, ref, given.marker, given)),
    );
  addBucketOptions(bucket.command('unmark').description('take a mark away from blocks'))
    .argument('<ulid...>')
    .addOption(kinds())
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', UNMARK_HELP)
    .action((ulids: string[], given: MarkOptions & Record<string, unknown>) =>
      change(ulids, given, 'unmark', (marker, ctx, ref) => marker.unmark(ctx, ref, given.marker)),
    );
  addBucketOptions(
    bucket
      .command('cleanup')
      .description('delete blocks that are marked for long enough, and what uploads and deletions left'),
  )
    .option('--deletion-delay <duration>', 'from a deletion mark to the deletion', '12h')
    .option(
      '--partial-delay <duration>',
      'uploads without meta.json are left over when their newest file is this old',
      '48h',
    )
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', CLEANUP_HELP)
    .action(cleanup);
}

const MARK_HELP = `
  deletion        the block will be deleted by verona bucket cleanup or a compactor, after a delay; it is read until shortly before
  no-compact      nothing is compacted out of it
  no-downsample   nothing is downsampled out of it
  quarantine      Verona's own: it is broken, nothing is made of it; with --hidden queries leave it out and say so
Nothing is changed when one of the blocks is not there. Thanos and Cortex honour the first two, Thanos the third as well.

Examples:
  verona bucket mark 01HF4D3T000000000000000001 --marker deletion --details 'imported twice' --dir data/bucket
  verona bucket mark 01HF4D3T000000000000000001 --marker no-compact --reason manual --objstore.config-file bucket.yml
`;

const UNMARK_HELP = `
A block that was marked for deletion stays; one that was set aside is compacted again, and set aside again if it is still broken.

Example:
  verona bucket unmark 01HF4D3T000000000000000001 --marker quarantine --dir data/bucket
`;

const CLEANUP_HELP = `
Removed are blocks whose deletion mark is old enough, uploads and deletions that broke off, and marks of blocks that are gone; a
block whose meta.json does not decode only when it is marked for deletion.

Example:
  verona bucket cleanup --dry-run --dir data/bucket
`;

type Change = (
  marker: BlockMarker,
  ctx: Parameters<BlockMarker['mark']>[0],
  ref: Parameters<BlockMarker['mark']>[1],
) => Promise<void>;

function change(
  ulids: readonly string[],
  given: MarkOptions & Record<string, unknown>,
  what: 'mark' | 'unmark',
  apply: Change,
): Promise<void> {
  return withBucket(
    given,
    async (tool, { json }) => {
      const tenants = await tool.tenants();
      // Nothing is changed when one of them is not there.
      const refs = ulids.map((ulid) => findAnyBlock(tenants, ulid));
      const marker = new BlockMarker(tool);
      const named = refs.map((ref) => [ref.folder, ref] as const);
      await forEachNamed(tool, 'blocks', named, async (ref) => {
        if (!given.dryRun) await apply(marker, tool.ctx, ref);
        if (!json) print(`${given.dryRun ? 'would ' : ''}${what} ${ref.folder}: ${given.marker}\n`);
      });
      say(`${refs.length} blocks ${given.dryRun ? 'would be ' : ''}${what}ed: ${given.marker}`);
      if (json)
        print(
          `${JSON.stringify(refs.map((ref) => ({ ...ref, marker: given.marker, done: !given.dryRun })))}\n`,
        );
    },
    { goesOn: true },
  );
}

function cleanup(given: Record<string, unknown>): Promise<void> {
  const rules = {
    deletionDelayMs: durationOf('--deletion-delay', given.deletionDelay),
    partialDelayMs: durationOf('--partial-delay', given.partialDelay),
  };
  return withBucket(
    given,
    async (tool, { json }) => {
      const marker = new BlockMarker(tool);
      const done: object[] = [];
      const items = [...(await tool.tenants()).values()].flatMap((view) =>
        planCleanup(view, rules, tool.clock.now()),
      );
      const named = items.map((item) => [`deleting ${item.kind} ${item.ref.folder}`, item] as const);
      await forEachNamed(tool, 'items', named, async (item) => {
        if (!given.dryRun)
          await (item.kind === 'mark'
            ? marker.unmark(tool.ctx, item.ref, item.mark)
            : marker.delete(tool.ctx, item.ref));
        done.push({ ...item.ref, kind: item.kind, done: !given.dryRun });
        if (!json) print(`${given.dryRun ? 'would delete' : 'deleted'} ${item.kind} ${item.ref.folder}\n`);
      });
      if (json) print(`${JSON.stringify(done)}\n`);
      say(
        done.length === 0
          ? 'nothing to clean up'
          : `${done.length} blocks and marks ${given.dryRun ? 'would be ' : ''}deleted`,
      );
    },
    { goesOn: true },
  );
}
