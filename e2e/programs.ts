import { join } from 'node:path';
import { unpackDebian } from './debian.ts';

const PROGRAMS = {
  prometheus: { package: 'prometheus', path: 'usr/bin/prometheus' },
  promtool: { package: 'prometheus', path: 'usr/bin/promtool' },
  node_exporter: { package: 'prometheus-node-exporter', path: 'usr/bin/prometheus-node-exporter' },
  'victoria-metrics': { package: 'victoria-metrics', path: 'usr/bin/victoria-metrics' },
} as const;

export type ProgramName = keyof typeof PROGRAMS;

/** The path of a real program from its Debian 12 package, fetched on first use. */
export async function program(name: ProgramName): Promise<string> {
  const { package: deb, path } = PROGRAMS[name];
  return join(await unpackDebian(deb, [deb]), path);
}
