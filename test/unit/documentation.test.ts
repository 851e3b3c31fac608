import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const pages = globSync('**/*.md', { exclude: (name) => ['node_modules', 'dist', '.git'].includes(name) });
const { scripts, dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
  'scripts' | 'dependencies' | 'devDependencies',
  Record<string, string>
>;

describe('the documentation', () => {
  it('links only to files and headings that are there', () => {
    expect(pages).toContain('README.md');
    expect(pages.flatMap(brokenLinks)).toEqual([]);
  });

  it('names only commands of package.json', () => {
    const named = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/npm (?:run )?(?<name>test|(?<=run )[a-z][a-z0-9:-]*)/gu)].map(
        (match) => ({
          page,
          name: match.groups?.['name'] ?? '',
        }),
      ),
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter(({ name }) => !(name in scripts))).toEqual([]);
  });

  it('says what every dependency is for', () => {
    const text = readFileSync('docs/dependencies.md', 'utf8');
    const names = Object.keys({ ...dependencies, ...devDependencies });
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it('lists every decision', () => {
    const index = readFileSync('docs/decisions/README.md', 'utf8');
    const decisions = globSync('[0-9]*.md', { cwd: 'docs/decisions' });
    expect(decisions.filter((name) => !index.includes(`(${name})`))).toEqual([]);
  });
});

function brokenLinks(page: string): string[] {
  const text = readFileSync(page, 'utf8').replaceAll(/```[\s\S]*?```/gu, '');
  return [...text.matchAll(/\]\((?<target>[^)\s]+)\)/gu)]
    .map((match) => match.groups?.['target'] ?? '')
    .filter((target) => !/^[a-z]+:/u.test(target) && !leadsSomewhere(page, target))
    .map((target) => `${page}: ${target}`);
}

function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', heading] = target.split('#');
  const file = path ? join(dirname(page), path) : page;
  if (!existsSync(file)) return false;
  return heading === undefined || headings(readFileSync(file, 'utf8')).includes(heading);
}

function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (?<title>.*)$/gmu)].map((match) =>
    (match.groups?.['title'] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
