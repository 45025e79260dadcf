import { z } from 'zod';
import { VeronaError } from '../model/errors.ts';
import type { RelabelRule } from '../model/relabel-rule.ts';
import { relabelConfig, relabelProblem } from './scrape/scrape-config.ts';
import { type ConfigSource, parseYamlTexts } from './yaml-file.ts';

const rules = z.array(relabelConfig).min(1, 'there is no rule');

/** A list of `relabel_configs` entries, as Thanos' tools take it. Throws `bad_data` with every problem and its place. */
export function loadRelabelRules(source: ConfigSource): readonly RelabelRule[] {
  const { values, positionOf } = parseYamlTexts(source);
  const parsed = rules.safeParse(values);
  if (!parsed.success)
    throw new VeronaError(
      'bad_data',
      parsed.error.issues
        .map((issue) => `${positionOf(issue)}: ${issue.path.join('.')}: ${issue.message}`)
        .join('\n'),
    );
  const wrong = relabelProblem(parsed.data, 'utf8');
  if (wrong) throw new VeronaError('bad_data', `${source.file}: rule ${wrong.index + 1}: ${wrong.message}`);
  return parsed.data;
}
