import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scenarios } from '../contract/ctr-scenarios.ts';

it('every difference from containerd stands in the documentation with its reason', () => {
  const page = readFileSync(new URL('../../docs/containerd-compatibility.md', import.meta.url), 'utf8');
  const reasons = scenarios.flatMap(({ steps }) => steps.flatMap(({ differs }) => differs?.why ?? []));
  for (const why of new Set(reasons)) expect(page, why).toContain(`- ${why}\n`);
});
