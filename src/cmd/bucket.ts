import type { Command } from 'commander';
import { addAnalyzeCommand } from './bucket-analyze.ts';
import { addCheckCommands } from './bucket-check.ts';
import { addCopyCommands } from './bucket-copy.ts';
import { addMarkCommands } from './bucket-marks.ts';
import { addShowCommands } from './bucket-show.ts';
import { addWorkCommands } from './bucket-work.ts';

/** `verona bucket …`: look at blocks in a bucket, mark, check, copy and remove them, and do the compactor's work by hand. */
export function addBucketCommand(program: Command): void {
  const bucket = program
    .command('bucket')
    .description(
      "look at blocks in a bucket, mark, check, copy and remove them, in Cortex' and in Thanos' layout",
    );
  addShowCommands(bucket);
  addAnalyzeCommand(bucket);
  addMarkCommands(bucket);
  addCheckCommands(bucket);
  addCopyCommands(bucket);
  addWorkCommands(bucket);
}
