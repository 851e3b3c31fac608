import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FailedPreconditionError, NotFoundError, UnavailableError, UnimplementedError } from '#errors/errors.ts';
import { freeze, holdsKilled, readFreezer, thaw } from './freezer.ts';
import { CgroupGroup } from './group.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A tree of plain files in the place of the kernel's. */
function fakeV1(pids = '10\n'): { readonly group: CgroupGroup; readonly state: string } {
  const at = join(folder, 'freezer/web');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'freezer.state'), 'THAWED');
  writeFileSync(join(at, 'cgroup.procs'), pids);
  const controllers = new Map([['freezer', join(folder, 'freezer')]]);
  return { group: new CgroupGroup({ version: 1, controllers }, '/web'), state: join(at, 'freezer.state') };
}

function fakeV2(): { readonly group: CgroupGroup; readonly at: string } {
  const at = join(folder, 'unified/web');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'cgroup.freeze'), '0\n');
  writeFileSync(join(at, 'cgroup.procs'), '10\n');
  writeFileSync(join(at, 'cgroup.events'), 'populated 1\nfrozen 0\n');
  return {
    group: new CgroupGroup({ version: 2, controllers: new Map(), unified: join(folder, 'unified') }, '/web'),
    at,
  };
}

const noSleep = () => Promise.resolve();

describe('freezing under v1', () => {
  it('gives the order and returns when the kernel says frozen', async () => {
    const { group, state } = fakeV1();
    await freeze(group, noSleep);
    expect(readFileSync(state, 'utf8')).toBe('FROZEN');
    expect(readFreezer(group)).toBe('frozen');
    thaw(group);
    expect(readFreezer(group)).toBe('thawed');
  });

  it('does not take an empty cgroup for a frozen one', async () => {
    const { group } = fakeV1('');
    await expect(freeze(group, noSleep)).rejects.toThrow(FailedPreconditionError);
    expect(readFreezer(group)).toBe('thawed');
  });

  it('says that the cgroup is gone', async () => {
    const controllers = new Map([['freezer', join(folder, 'freezer')]]);
    const gone = new CgroupGroup({ version: 1, controllers }, '/gone');
    await expect(freeze(gone, noSleep)).rejects.toThrow(NotFoundError);
    expect(readFreezer(gone)).toBeUndefined();
    thaw(gone);
  });

  it('says that the kernel has no freezer', async () => {
    mkdirSync(join(folder, 'memory/web'), { recursive: true });
    const group = new CgroupGroup({ version: 1, controllers: new Map([['memory', join(folder, 'memory')]]) }, '/web');
    await expect(freeze(group, noSleep)).rejects.toThrow(UnimplementedError);
  });
});

describe('freezing under v2', () => {
  it('waits for the event, and thaws when it does not come', async () => {
    const { group, at } = fakeV2();
    await expect(freeze(group, noSleep)).rejects.toThrow(UnavailableError);
    expect(readFileSync(join(at, 'cgroup.freeze'), 'utf8')).toBe('0');
    let looks = 0;
    await freeze(group, () => {
      looks += 1;
      if (looks === 3) writeFileSync(join(at, 'cgroup.events'), 'populated 1\nfrozen 1\n');
      return Promise.resolve();
    });
    expect(looks).toBe(3);
    expect(readFreezer(group)).toBe('frozen');
  });

  it('is under way between order and event', () => {
    const { group, at } = fakeV2();
    writeFileSync(join(at, 'cgroup.freeze'), '1\n');
    expect(readFreezer(group)).toBe('freezing');
  });
});

describe('holdsKilled', () => {
  it('finds a KILL that waits for the thaw, under v1 alone', () => {
    const { group } = fakeV1('10\n11\n');
    const proc = join(folder, 'proc');
    const write = (pid: number, pending: string) => {
      mkdirSync(join(proc, String(pid)), { recursive: true });
      writeFileSync(join(proc, String(pid), 'status'), `SigPnd:\t${'0'.repeat(16)}\nShdPnd:\t${pending}\n`);
    };
    write(10, '0000000000000000');
    expect(holdsKilled(group, proc)).toBe(false); // 11 has ended
    write(11, '0000000000000100');
    expect(holdsKilled(group, proc)).toBe(true);
    expect(holdsKilled(fakeV2().group, proc)).toBe(false);
  });
});
