import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configurationPage } from './document.ts';
import { flagOf, settings, variableOf } from './schema.ts';

it('is what docs/configuration.md says; if not, run scripts/write-docs.ts', () => {
  expect(readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8')).toBe(configurationPage());
});

it('has every setting with its flag and variable', () => {
  for (const name of Object.keys(settings)) {
    expect(configurationPage()).toContain(`| \`${name}\` | \`${flagOf(name)}`);
    expect(configurationPage()).toContain(`\`${variableOf(name)}\``);
  }
});
