import { VeronaError } from '../../model/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import type { Element } from './rows.ts';

const IDENTIFYING = ['instance', 'job'] as const;

/** The info series of one metric, with the time of the sample that is current. */
export interface InfoElement {
  readonly labels: Labels;
  readonly sampledAt: number;
}

/** What the name of an info metric must match, given what the second argument says of it. */
export function nameMatchers(written: readonly Matcher[]): readonly Matcher[] {
  const ofName = written.filter(({ name }) => name === METRIC_NAME);
  if (ofName.some(({ type }) => type === '=' || type === '=~')) return ofName;
  if (ofName.length > 0) return [new Matcher('=~', METRIC_NAME, '.+_info'), ...ofName];
  return [new Matcher('=', METRIC_NAME, 'target_info')];
}

export function isInfoSeries(labels: Labels, names: readonly Matcher[]): boolean {
  return names.every((matcher) => matcher.matches(labels.get(METRIC_NAME)));
}

/**
 * The series that can say something about the rows at all: of an info metric, as the second argument wants them, and with
 * an instance and a job that some row has.
 */
export function isCandidate(info: Labels, rows: readonly Labels[], written: readonly Matcher[]): boolean {
  const names = nameMatchers(written);
  if (!isInfoSeries(info, names)) return false;
  if (!written.every((matcher) => matcher.name === METRIC_NAME || matcher.matches(info.get(matcher.name))))
    return false;
  const others = rows.filter((labels) => !isInfoSeries(labels, names));
  const known = IDENTIFYING.filter((name) => others.some((labels) => labels.has(name)));
  return (
    known.length > 0 && known.every((name) => others.some((labels) => labels.get(name) === info.get(name)))
  );
}

/** The elements of a vector with the labels of their info series at one step. */
export function withInfo(
  base: readonly Element[],
  infos: readonly InfoElement[],
  written: readonly Matcher[],
): Element[] {
  if (base.length === 0) return [];
  const names = nameMatchers(written);
  const dataMatchers = written.filter(({ name }) => name !== METRIC_NAME);
  const newest = newestByIdentity(infos);
  const results: Element[] = [];
  for (const element of base) {
    if (isInfoSeries(element.labels, names)) {
      results.push(element);
      continue;
    }
    const found = [...newest.values()].filter(({ labels }) => sameIdentity(labels, element.labels));
    if (found.length === 0 && !dataMatchers.every((matcher) => matcher.matches(''))) continue;
    results.push({ ...element, labels: element.labels.with(taken(element.labels, found, dataMatchers)) });
  }
  return results;
}

function newestByIdentity(infos: readonly InfoElement[]): Map<string, InfoElement> {
  const newest = new Map<string, InfoElement>();
  for (const info of infos) {
    const key = info.labels.keep(new Set([METRIC_NAME, ...IDENTIFYING])).key();
    const known = newest.get(key);
    if (known !== undefined && known.sampledAt === info.sampledAt)
      throw new VeronaError(
        'execution',
        `found duplicate series for info metric: existing ${known.labels} @ ${known.sampledAt}, new ${info.labels} @ ${info.sampledAt}`,
      );
    if (known === undefined || known.sampledAt < info.sampledAt) newest.set(key, info);
  }
  return newest;
}

function sameIdentity(a: Labels, b: Labels): boolean {
  return IDENTIFYING.every((name) => a.get(name) === b.get(name));
}

/** Labels that the element lacks, from all its info series, which must agree. */
function taken(
  own: Labels,
  infos: readonly InfoElement[],
  dataMatchers: readonly Matcher[],
): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const info of infos)
    for (const [name, value] of info.labels) {
      if (name === METRIC_NAME) continue;
      if (dataMatchers.length > 0 && !dataMatchers.some((matcher) => matcher.name === name)) continue;
      if (labels[name] !== undefined && labels[name] !== value)
        throw new VeronaError('execution', `conflicting label: ${name}`);
      if (!own.has(name)) labels[name] = value;
    }
  return labels;
}
