import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../test/support/cli.ts';
import { commands } from './table/table.ts';
import { verbsPage } from './verbs-page.ts';

describe('docs/verbs.md', () => {
  it('is what the command table says; `node scripts/write-docs.ts` writes it anew', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/verbs.md'), 'utf8');
    expect(page).toBe(verbsPage(commands));
  });
});

describe('every command', () => {
  it.each(commands)(
    '$name says in its help what it does, its flags and examples',
    async ({ name, summary, flags, examples }) => {
      const help = await runCli([...name.split(' '), '--help']);
      expect(help.status).toBe(0);
      const text = help.stdout.replaceAll(/\s+/g, ' ');
      expect(text).toContain(summary.slice(1));
      for (const flag of flags) expect(text).toContain(flag.flags);
      for (const [line] of examples) expect(text).toContain(line.replaceAll(/\s+/g, ' '));
      expect(text).toContain('--address <socket>');
    },
  );

  it('has a module that can be loaded', async () => {
    for (const { load } of commands) expect((await load()).run).toBeTypeOf('function');
  });
});
