import type { Command } from 'commander';
import { BlockMarker } from '../blocks/block-marker.ts';
import { expiredBlocks, type Retention } from '../compactor/retention.ts';
import { VeronaError } from '../model/errors.ts';
import { blockText } from './bucket-job.ts';
import { addBucketOptions, durationOf, print, say, withBucket } from './bucket-tool.ts';
import { forEachNamed } from './tool-progress.ts';

/** `verona bucket retention`: marks blocks that are older than they are to be kept. */
export function addRetentionCommand(bucket: Command): void {
  addBucketOptions(
    bucket
      .command('retention')
      .description('mark blocks for deletion that ended longer ago than they are kept'),
  )
    .option('--dry-run', 'only say what would be done')
    .option('--resolution-raw <duration>', 'how long raw blocks are kept; 0s for ever', '0s')
    .option('--resolution-5m <duration>', 'how long 5m blocks are kept; 0s for ever', '0s')
    .option('--resolution-1h <duration>', 'how long 1h blocks are kept; 0s for ever', '0s')
    .addHelpText('after', HELP)
    .action((given: Readonly<Record<string, unknown>>) => {
      const retention: Retention = {
        rawMs: durationOf('--resolution-raw', given.resolutionRaw),
        fiveMinutesMs: durationOf('--resolution-5m', given.resolution5m),
        oneHourMs: durationOf('--resolution-1h', given.resolution1h),
      };
      if (Object.values(retention).every((ms) => ms === 0))
        throw new VeronaError(
          'bad_data',
          'say how long with --resolution-raw, --resolution-5m or --resolution-1h',
        );
      const isDry = given.dryRun === true;
      return withBucket(
        given,
        async (tool, { json }) => {
          const marker = new BlockMarker(tool);
          const found = [...(await tool.tenants()).values()].flatMap(({ whole }) =>
            expiredBlocks(whole, retention, tool.clock.now(), undefined),
          );
          const named = found.map(({ block }) => [`marking ${block.ref.folder}`, block] as const);
          await forEachNamed(tool, 'blocks', named, async (block) => {
            if (!isDry)
              await marker.mark(tool.ctx, block.ref, 'deletion', { details: 'its retention is over' });
            if (!json) print(`${isDry ? 'would mark' : 'marked'} ${blockText(block)}\n`);
          });
          if (json)
            print(
              `${JSON.stringify(
                found.map(({ block: { ref, meta } }) => ({
                  ...ref,
                  mint: meta.mint,
                  maxt: meta.maxt,
                  resolutionMs: meta.resolutionMs,
                  done: !isDry,
                })),
              )}\n`,
            );
          say(
            found.length === 0
              ? 'nothing is that old'
              : `${found.length} blocks ${isDry ? 'would be ' : ''}marked for deletion`,
          );
        },
        { goesOn: true },
      );
    });
}

const HELP = `
A marked block is still read for a while, and removed by verona bucket cleanup or a compactor; verona bucket unmark keeps it.
Nothing waits for a coarser block to be made: see verona bucket downsample.

Example:
  verona bucket retention --resolution-raw 30d --resolution-5m 180d --dry-run --dir data/bucket
`;
