import { z } from 'zod';
import { VeronaError } from '../../model/errors.ts';
import { type ConfigSource, parseYamlTexts } from '../yaml-file.ts';
import { type TargetGroupConfig, targetGroup } from './discovery.ts';

const schema = z.array(targetGroup);

/** The groups of targets in a file of `file_sd_configs`. Throws `bad_data` with the place of every problem. */
export function parseTargetList(source: ConfigSource): readonly TargetGroupConfig[] {
  if (/\.json$/i.test(source.file)) return parseTargetListJson(source);
  const { values, positionOf } = parseYamlTexts(source);
  return check(values ?? [], positionOf);
}

/** The same in JSON, as servers tell it: lists may be long, and JSON is read a hundred times faster. */
export function parseTargetListJson({ file, text }: ConfigSource): readonly TargetGroupConfig[] {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (cause) {
    throw new VeronaError('bad_data', `${file}: ${(cause as Error).message}`, { cause });
  }
  return check(values ?? [], () => file);
}

function check(
  values: unknown,
  positionOf: (issue: z.core.$ZodIssue) => string,
): readonly TargetGroupConfig[] {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, PROBLEMS_TOLD_MAX);
  throw new VeronaError(
    'bad_data',
    issues.map((issue) => `${positionOf(issue)}: ${issue.path.join('.')}: ${issue.message}`).join('\n'),
  );
}

const PROBLEMS_TOLD_MAX = 10;
