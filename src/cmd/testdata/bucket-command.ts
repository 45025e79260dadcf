import { Command } from 'commander';
import type { VeronaError } from '../../model/errors.ts';
import { addBucketCommand } from '../bucket.ts';
import { EXIT } from '../exit.ts';

/** Exit code and output of `verona bucket …`, in this process. */
export async function bucketCommand(
  ...args: readonly string[]
): Promise<{ code: number; out: string; err: string }> {
  const program = new Command('verona').exitOverride();
  addBucketCommand(program);
  const written = { out: '', err: '' };
  const [stdout, stderr] = [process.stdout.write, process.stderr.write];
  const keep = (key: 'out' | 'err') => (text: string) => {
    written[key] += text;
    return true;
  };
  process.stdout.write = keep('out') as typeof stdout;
  process.stderr.write = keep('err') as typeof stderr;
  try {
    await program.parseAsync(['bucket', ...args], { from: 'user' });
    return { code: Number(process.exitCode ?? 0), ...written };
  } catch (error) {
    const { code, message } = error as VeronaError;
    return { code: code === 'bad_data' ? EXIT.usage : EXIT.failed, out: written.out, err: message };
  } finally {
    process.exitCode = undefined;
    process.stdout.write = stdout;
    process.stderr.write = stderr;
  }
}
