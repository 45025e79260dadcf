import { z } from 'zod';
import { VeronaError } from '../../model/errors.ts';
import { type ConfigSource, parseYamlTexts } from '../yaml-file.ts';
import { type TargetGroupConfig, targetGroup } from './discovery.ts';

const schema = z.array(targetGroup);

/** The groups of targets in a file of `file_sd_configs`, YAML or JSON. Throws `bad_data` with the place of every problem. */
export function parseTargetList(source: ConfigSource): readonly TargetGroupConfig[] {
  const { values, positionOf } = parseYamlTexts(source);
  const parsed = schema.safeParse(values ?? []);
  if (parsed.success) return parsed.data;
  throw new VeronaError(
    'bad_data',
    parsed.error.issues
      .map((issue) => `${positionOf(issue)}: ${issue.path.join('.')}: ${issue.message}`)
      .join('\n'),
  );
}
