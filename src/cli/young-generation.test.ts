import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Makes many objects that are soon forgotten and prints how many bytes the space of new objects has come to. */
const churn = `
  let kept = [];
  for (let at = 0; at < 1_500_000; at += 1) {
    kept.push({ at });
    if (kept.length > 100_000) kept = [];
  }
  console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size);
`;

function newSpaceAfter(preparation: string): number {
  const script = `import { getHeapSpaceStatistics } from 'node:v8';\n${preparation}\n${churn}`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

describe('keepYoungGenerationSmall', () => {
  it('keeps the space of new objects below what it comes to by itself', () => {
    const module = JSON.stringify(join(import.meta.dirname, 'young-generation.ts'));
    const small = newSpaceAfter(`import { keepYoungGenerationSmall } from ${module};\nkeepYoungGenerationSmall();`);
    expect(small).toBeLessThan(8 * 1024 * 1024);
    expect(newSpaceAfter('')).toBeGreaterThan(2 * small);
  });
});
