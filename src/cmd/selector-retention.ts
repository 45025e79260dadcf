import type { SelectorRetention } from '../compactor/selector-retention.ts';
import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import { parseMatchers } from '../promql/parser/parse.ts';
import { checkTenantId } from '../tenancy/tenant-id.ts';

/** Lines of `compactor.retention_selectors`: `[tenant:] {selector} duration`. Throws `bad_data` naming the line. */
export function parseSelectorRetention(lines: readonly string[]): SelectorRetention[] {
  return lines.map((line) => {
    try {
      return parseLine(line);
    } catch (error) {
      const { message } = error as Error;
      throw new VeronaError('bad_data', `compactor.retention_selectors: ${JSON.stringify(line)}: ${message}`);
    }
  });
}

function parseLine(line: string): SelectorRetention {
  const found = /^(?:([^\s:{}]+):\s*)?(\S.*)\s(\S+)$/.exec(line.trim());
  const keptMs = parseDuration(found?.[3] ?? '');
  if (!found || keptMs === undefined || keptMs <= 0)
    throw new VeronaError('bad_data', 'not a selector followed by a duration');
  const [, tenant, selector] = found;
  if (tenant !== undefined) checkTenantId(tenant);
  const matchers = parseMatchers(selector).map(({ name, type, value }) => ({ name, type, value }));
  return { tenant, matchers, keptMs };
}
