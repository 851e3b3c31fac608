import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MalformedError } from '#errors/errors.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { findViolations } from './proof.ts';

let folder: string;
let proc: string;
let group: CgroupGroup;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  proc = join(folder, 'proc');
  mkdirSync(join(folder, 'rootfs'));
  mkdirSync(join(folder, 'cgroup/task'), { recursive: true });
  group = new CgroupGroup({ version: 2, controllers: new Map(), unified: join(folder, 'cgroup') }, '/task');
  addProcess(1, { parent: 0, namespaces: 9 });
  symlinkSync('1', join(proc, 'self'));
  addProcess(10, { parent: 1 });
  addProcess(11, { parent: 10, threads: [11, 12] });
  members(10, 11);
});
afterEach(() => rmSync(folder, { recursive: true }));

const spec: RuntimeSpec = {
  ociVersion: '1.0.2',
  root: { path: 'rootfs' },
  process: { cwd: '/', user: { uid: 0, gid: 0 }, noNewPrivileges: true },
  linux: { namespaces: (['pid', 'mount', 'network'] as const).map((type) => ({ type })) },
};

interface Given {
  readonly parent: number;
  /** Which of its namespaces' numbers. */
  readonly namespaces?: number;
  readonly threads?: readonly number[];
}

function addProcess(pid: number, { parent, namespaces = 1, threads = [pid] }: Given): void {
  const at = join(proc, String(pid));
  mkdirSync(join(at, 'ns'), { recursive: true });
  writeFileSync(join(at, 'stat'), `${pid} (sh) S ${parent} ${Array(18).fill('0').join(' ')}\n`);
  writeFileSync(join(at, 'limits'), 'Limit Soft Limit Hard Limit Units\n');
  writeFileSync(join(at, 'oom_score_adj'), '0\n');
  writeFileSync(join(at, 'mountinfo'), '1 0 0:1 / / rw - overlay overlay rw\n');
  for (const name of ['mnt', 'pid', 'net']) symlinkSync(`${name}:[${namespaces}]`, join(at, 'ns', name));
  symlinkSync('user:[9]', join(at, 'ns/user'));
  symlinkSync(join(folder, 'rootfs'), join(at, 'root'));
  for (const thread of threads) writeStatus(pid, thread);
  writeFileSync(join(at, 'status'), statusOf(pid));
}

function writeStatus(pid: number, thread: number, more: Readonly<Record<string, string>> = {}): void {
  mkdirSync(join(proc, `${pid}/task/${thread}`), { recursive: true });
  writeFileSync(join(proc, `${pid}/task/${thread}/status`), statusOf(thread, more));
}

function statusOf(thread: number, more: Readonly<Record<string, string>> = {}): string {
  const none = '0000000000000000';
  const lines = {
    ...{ Name: 'sh', Uid: '0\t0\t0\t0', Gid: '0\t0\t0\t0', Groups: '', NSpid: `${thread}\t${thread - 9}` },
    ...{ CapInh: none, CapPrm: none, CapEff: none, CapBnd: none, CapAmb: none, NoNewPrivs: '1', Seccomp: '0' },
    ...more,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}:\t${value}\n`)
    .join('');
}

function members(...pids: readonly number[]): void {
  writeFileSync(join(folder, 'cgroup/task/cgroup.procs'), pids.map((pid) => `${pid}\n`).join(''));
}

function found(): readonly string[] {
  const restored = { spec, group, pid: 10, rootfs: join(folder, 'rootfs') };
  return findViolations(restored, proc).map(({ whom, field, what }) => `${whom}: ${field} ${what}`);
}

describe('the proof of a restored task', () => {
  it('finds nothing where everybody keeps within the specification', () => {
    expect(found()).toEqual([]);
  });

  it('looks at every thread of every process, and names them by their pids in the task', () => {
    writeStatus(11, 12, { CapEff: '0000000000200000', NoNewPrivs: '0' });
    expect(found()).toEqual([
      'process 2 (sh), thread 3: CapEff holds SYS_ADMIN',
      'process 2 (sh), thread 3: NoNewPrivs is 0: it could gain rights by a program that it runs',
    ]);
  });

  it('finds whom a checkpoint has put outside of the cgroup, by descent', () => {
    members(10);
    expect(found()).toEqual([`process 2 (sh): cgroup is not ${join(folder, 'cgroup/task')}`]);
  });

  it('finds whom nobody of the task is the parent of, by the cgroup', () => {
    addProcess(13, { parent: 1, namespaces: 9 });
    members(10, 11, 13);
    expect(found().filter((text) => text.startsWith('process 4 (sh): ns/'))).toEqual([
      ...['mnt', 'pid', 'net'].map((name) => `process 4 (sh): ns/${name} is the node’s`),
    ]);
  });

  it('looks into every mount namespace', () => {
    addProcess(13, { parent: 10, namespaces: 2 });
    members(10, 11, 13);
    writeFileSync(
      join(proc, '13/mountinfo'),
      '1 0 0:1 / / rw - overlay overlay rw\n2 1 8:1 / /mnt rw - ext4 /dev/sda rw\n',
    );
    expect(found()).toEqual(['process 4 (sh): mountinfo (/mnt) is not of its specification']);
  });

  it('proves nothing of a process that cannot be read', () => {
    rmSync(join(proc, '11/task/12/status'));
    expect(found).toThrow(MalformedError);
  });
});
