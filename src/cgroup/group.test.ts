import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CgroupGroup } from './group.ts';
import type { Hierarchy } from './hierarchy.ts';

let folder: string;
let hierarchy: Hierarchy;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  const controllers = new Map(['freezer', 'cpuset'].map((name) => [name, join(folder, name)]));
  hierarchy = { version: 1, controllers };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
}

describe('CgroupGroup', () => {
  it('knows its folder in every tree', () => {
    const group = new CgroupGroup(hierarchy, '/a/b');
    expect(group.folder('freezer')).toBe(join(folder, 'freezer/a/b'));
    expect(group.folder('memory')).toBeUndefined();
    expect(group.foldersByController).toEqual({
      freezer: join(folder, 'freezer/a/b'),
      cpuset: join(folder, 'cpuset/a/b'),
    });
    expect(group.exists).toBe(false);
  });

  it('is made everywhere, with the cpus and mems of those above it', () => {
    write('cpuset/cpuset.cpus', '0-3\n');
    write('cpuset/cpuset.mems', '0\n');
    for (const file of ['a/cpuset.cpus', 'a/cpuset.mems', 'a/b/cpuset.cpus', 'a/b/cpuset.mems'])
      write(`cpuset/${file}`, '');
    write('cpuset/a/cpuset.cpus', '1');
    const group = new CgroupGroup(hierarchy, '/a/b');
    group.create();
    expect(existsSync(join(folder, 'freezer/a/b'))).toBe(true);
    expect(readFileSync(join(folder, 'cpuset/a/b/cpuset.cpus'), 'utf8')).toBe('1');
    expect(readFileSync(join(folder, 'cpuset/a/b/cpuset.mems'), 'utf8')).toBe('0');
  });

  it('lists the processes of the cgroups below too, each once', () => {
    write('freezer/a/cgroup.procs', '1\n2\n');
    write('freezer/a/b/cgroup.procs', '3\n2\n');
    write('freezer/a/b/c/cgroup.procs', '');
    expect(new CgroupGroup(hierarchy, '/a').pids()).toEqual([1, 2, 3]);
    expect(new CgroupGroup(hierarchy, '/gone').pids()).toEqual([]);
  });

  it('is removed from every tree with what is below it', () => {
    mkdirSync(join(folder, 'freezer/a/b/c'), { recursive: true });
    mkdirSync(join(folder, 'cpuset/a'), { recursive: true });
    const group = new CgroupGroup(hierarchy, '/a');
    expect(group.remove()).toBe(true);
    expect(group.exists).toBe(false);
    expect(group.remove()).toBe(true);
  });

  it('stays where something still holds it, and says so', () => {
    write('freezer/a/b/held', '');
    mkdirSync(join(folder, 'cpuset/a'), { recursive: true });
    expect(new CgroupGroup(hierarchy, '/a').remove()).toBe(false);
    expect(existsSync(join(folder, 'cpuset/a'))).toBe(false);
  });
});
