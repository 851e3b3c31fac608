import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLimits } from './apply-limits.ts';
import { CgroupGroup } from './group.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function group(
  version: 1 | 2,
  files: Readonly<Record<string, string>>,
): { group: CgroupGroup; read(file: string): string } {
  const at = join(folder, 'web');
  mkdirSync(at, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(at, name), text);
  const hierarchy =
    version === 1
      ? {
          version,
          controllers: new Map([
            ['memory', folder],
            ['pids', folder],
          ]),
        }
      : { version, controllers: new Map<string, string>(), unified: folder };
  return { group: new CgroupGroup(hierarchy, '/web'), read: (file) => readFileSync(join(at, file), 'utf8') };
}

describe('applyLimits', () => {
  it('sets what can be set and tells what cannot', () => {
    const { group: web, read } = group(2, { 'pids.max': 'max', 'memory.max': 'max', 'memory.current': '0' });
    const failures = applyLimits(web, { memory: { limit: 100 }, pids: { limit: 5 }, cpu: { shares: 100 } });
    expect(read('pids.max')).toBe('5');
    expect(read('memory.max')).toBe('100');
    expect(failures).toEqual([
      { field: 'cpu.shares', reason: 'NotSupported', message: "cpu.shares is not supported by this kernel's cgroups" },
    ]);
  });

  it('does not let the kernel kill for memory that is in use and cannot be reclaimed', () => {
    const stat = 'anon 500\nfile 400\nshmem 100\n';
    const { group: web, read } = group(2, { 'memory.max': 'max', 'memory.current': '1000', 'memory.stat': stat });
    const [failure] = applyLimits(web, { memory: { limit: 699 } });
    expect(failure).toMatchObject({ field: 'memory.limit', reason: 'InUse' });
    expect(read('memory.max')).toBe('max');
    expect(applyLimits(web, { memory: { limit: 700 } })).toEqual([]);
    expect(read('memory.max')).toBe('700');
    expect(applyLimits(web, { memory: { limit: -1 } })).toEqual([]);
    expect(read('memory.max')).toBe('max');
  });

  it('refuses what v1 has no file for', () => {
    const { group: web } = group(1, {});
    expect(applyLimits(web, { unified: { 'memory.high': '1' } })).toMatchObject([
      { field: 'unified.memory.high', reason: 'NotSupported' },
    ]);
  });

  it.each([
    ['raises memory and swap first', '1000', { limit: 2000, swap: 3000 }],
    ['lowers memory first', '9000', { limit: 2000, swap: 3000 }],
    ['takes both limits away', '9000', { limit: -1, swap: -1 }],
  ])('%s under v1', (_title, now, memory) => {
    const { group: web, read } = group(1, {
      'memory.limit_in_bytes': now,
      'memory.memsw.limit_in_bytes': now,
      'memory.usage_in_bytes': '0',
    });
    expect(applyLimits(web, { memory })).toEqual([]);
    expect(read('memory.limit_in_bytes')).toBe(String(memory.limit));
    expect(read('memory.memsw.limit_in_bytes')).toBe(String(memory.swap));
  });
});
