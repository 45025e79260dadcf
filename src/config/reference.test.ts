import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configReference } from './reference.ts';
import { settingGroups } from './settings.ts';

test('docs/configuration.md is what the schema says; `npm run docs` writes it', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
  expect(page).toBe(configReference());
});

test('every setting says what it is for', () => {
  for (const { settings } of settingGroups())
    for (const { flag, description } of settings) expect(description, flag).toMatch(/\w.*\.$/s);
});
