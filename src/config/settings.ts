import { z } from 'zod';
import { configSchema } from './schema.ts';

/** One leaf of the schema, as the reference and the command line show it. */
export interface Setting {
  /** Keys from the top of the YAML file. */
  readonly path: readonly string[];
  /** `--tsdb.out-of-order-time-window` */
  readonly flag: string;
  readonly kind: string;
  readonly defaultText: string;
  readonly description: string;
}

export interface SettingGroup {
  readonly name: string;
  readonly description: string;
  readonly settings: readonly Setting[];
}

interface Node {
  readonly description?: string;
  readonly kind?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
}

/** All settings by group, in the order of the schema. `overrides` has no flags and is not among them. */
export function settingGroups(): SettingGroup[] {
  const root = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Node;
  const groups: SettingGroup[] = [];
  for (const [name, node] of Object.entries(root.properties ?? {})) {
    if (!node.properties) continue;
    const settings = Object.entries(node.properties).map(([key, leaf]) => toSetting([name, key], leaf));
    groups.push({ name, description: node.description ?? '', settings });
  }
  return groups;
}

function toSetting(path: readonly string[], leaf: Node): Setting {
  const value = leaf.default;
  return {
    path,
    flag: `--${path.map((key) => key.replaceAll('_', '-')).join('.')}`,
    kind: leaf.kind ?? 'text',
    defaultText: Array.isArray(value) ? value.join(',') : String(value ?? ''),
    description: leaf.description ?? '',
  };
}
