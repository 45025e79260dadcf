import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { timeShareOf } from './served-blocks.ts';

const shareOf = (text: string) => timeShareOf(loadConfig({ file: 'verona.yml', text }, {}, {}));

test('a process alone answers for all time, and one of several by its number or its host name', () => {
  expect(shareOf('')).toBeUndefined();
  const settings = '{instances: 4, instance: gateway-3.gateway.svc, replication_factor: 2, span: 336h}';
  expect(shareOf(`store_gateway: ${settings}`)).toEqual({
    instance: 3,
    instances: 4,
    replicationFactor: 2,
    spanMs: 14 * 86_400_000,
    unknownMs: 300_000,
  });
});

test('shares that would leave out time, cut windows or count twice are refused', () => {
  for (const [settings, what] of [
    ['{instances: 3, instance: 3}', 'store_gateway.instance: less than'],
    ['{instances: 3, instance: gateway}', 'store_gateway.instance: not a number from 0'],
    ['{instances: 3, span: 90m}', 'store_gateway.span: some whole hours'],
    [
      '{instances: 3, replication_factor: 2, unknown_block_delay: 2m}',
      'store_gateway.unknown_block_delay: longer',
    ],
  ])
    expect(() => shareOf(`store_gateway: ${settings}`)).toThrow(what);
});
