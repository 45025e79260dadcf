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
  bucket.addHelpText('after', HELP);
  addShowCommands(bucket);
  addAnalyzeCommand(bucket);
  addMarkCommands(bucket);
  addCheckCommands(bucket);
  addCopyCommands(bucket);
  addWorkCommands(bucket);
}

const HELP = `
Each command names the bucket with one of --dir, --objstore.config-file and --objstore.config, says what it did with --json, and
what it would do with --dry-run. Results go to standard output, progress and notes to standard error. --help shows examples.
Exit codes: 0 done, 1 something is wrong or failed, 2 the command line is wrong.

A session is in docs/bucket.md.
`;
