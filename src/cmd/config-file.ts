import { readFileSync } from 'node:fs';
import { VeronaError } from '../model/errors.ts';

/** The text of a file that the command line names. Throws `bad_data`: such a file is a wrong command line. */
export function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new VeronaError('bad_data', `cannot read the configuration: ${(cause as Error).message}`, {
      cause,
    });
  }
}
