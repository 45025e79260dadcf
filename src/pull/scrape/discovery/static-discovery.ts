import type { TargetGroupConfig } from '../../../config/scrape/discovery.ts';
import { Labels } from '../../../model/labels.ts';
import type { Discovery, TargetGroup } from './target-group.ts';

/** A group as it is written in a configuration or a file; `more` are labels of the discovery. */
export function groupOf(
  source: string,
  { targets, labels }: TargetGroupConfig,
  more: Readonly<Record<string, string>> = {},
): TargetGroup {
  return {
    source,
    targets: targets.map((target) => Labels.from({ __address__: target })),
    labels: Labels.from({ ...labels, ...more }),
  };
}

/** Targets that stand in the configuration. */
export class StaticDiscovery implements Discovery {
  readonly #groups: readonly TargetGroup[];

  constructor(configs: readonly TargetGroupConfig[]) {
    this.#groups = configs.map((config, i) => groupOf(String(i), config));
  }

  start(found: (groups: readonly TargetGroup[]) => void): void {
    found(this.#groups);
  }

  stop(): void {}
}
