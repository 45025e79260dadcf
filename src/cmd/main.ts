import { Command, CommanderError } from 'commander';
import { messageOf, VeronaError } from '../model/errors.ts';
import { addAllCommand, addQuerierCommand } from './all.ts';
import { addBucketCommand } from './bucket.ts';
import { addCompactorCommand } from './compactor.ts';
import { addConfigCommand } from './config.ts';
import { EXIT } from './exit.ts';
import { addPromqlCommand } from './promql.ts';
import { addSidecarCommand } from './sidecar.ts';
import { addTsdbCommand } from './tsdb.ts';
import { VERSION } from './version.ts';

const program = new Command('verona')
  .description('Long-term, highly available, multi-tenant storage for Prometheus metrics.')
  .version(VERSION, '--version', 'print the version')
  .helpOption('-h, --help', 'print this')
  .showSuggestionAfterError()
  .showHelpAfterError('With --help a command lists its options.')
  .exitOverride()
  .addHelpText(
    'after',
    `
A first run:
  verona all                                 everything in one process, data in ./data
  verona all --data.dir=/var/lib/verona --config.file=verona.yml

Then send with Prometheus:
  remote_write:
    - url: http://127.0.0.1:9009/api/v1/push
and ask at http://127.0.0.1:9009/api/v1/query?query=up, or add that address to Grafana as a Prometheus data source.`,
  );

addAllCommand(program);
addQuerierCommand(program);
addSidecarCommand(program);
addCompactorCommand(program);
addTsdbCommand(program);
addBucketCommand(program);
addPromqlCommand(program);
addConfigCommand(program);

// Whoever reads the first lines only, as `head` does, has what it wants.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  // Threads that were started before a setting was found wrong would keep the process for ever.
  process.exit(report(error));
}

/** Says what went wrong in one line or a few, and picks the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const message = messageOf(error);
  process.stderr.write(`verona: ${message}\n`);
  if (error instanceof VeronaError) return error.code === 'bad_data' ? EXIT.usage : EXIT.failed;
  if (error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return EXIT.failed;
}
