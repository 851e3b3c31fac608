import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultSpec, type SpecRequest } from '#oci/default-spec.ts';
import { readMachineFacts } from '#host/machine.ts';
import { fitToMachine } from '#oci/fit.ts';
import { toMachineLimits } from '#oci/machine.ts';
import { defaultCapabilities } from '#oci/capabilities.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { defaultSeccomp } from '#oci/seccomp.ts';
import { installedCriu } from '../support/criu.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { makeRuntime, record, ref, sh } from '../support/runtime.ts';

const criu = installedCriu();
let node: TestNode;
let tested: ReturnType<typeof makeRuntime>;
beforeEach(async () => {
  node = makeTestNode();
  mkdirSync(shared());
  chmodSync(shared(), 0o777);
  tested = makeRuntime(node, { criu });
  await tested.recover();
});
afterEach(async () => {
  await tested[Symbol.asyncDispose]();
  await node.clean();
});

const images = () => join(node.folder, 'images');
const shared = () => join(node.folder, 'shared');
/** How far the program has counted, on the node's own file system: it moves with every round of the program. */
const counted = () => (existsSync(join(shared(), 'n')) ? readFileSync(join(shared(), 'n'), 'utf8') : '');

const capabilities = defaultCapabilities.filter((name) => name !== 'CAP_SETUID' && name !== 'CAP_SETGID');

/** A task as a NodeTask's is made, confined in every way, but for what is said. */
function specWith(request: Partial<SpecRequest> = {}, change: (spec: RuntimeSpec) => RuntimeSpec = (spec) => spec) {
  const spec = defaultSpec({
    args: sh('i=0; while :; do i=$((i+1)); echo $i > /shared/n; sleep 0.01; done'),
    env: ['PATH=/bin'],
    cwd: '/',
    user: { uid: 0, gid: 0 },
    terminal: false,
    rootPath: node.rootfs,
    readOnlyRoot: true,
    network: 'none',
    capabilities,
    noNewPrivileges: true,
    seccomp: defaultSeccomp(capabilities, 'amd64'),
    unmasked: false,
    privileged: false,
    mounts: [{ destination: '/shared', type: 'bind', source: shared(), options: ['rbind', 'rw'] }],
    resources: {},
    ...request,
  });
  return fitToMachine(change(spec), toMachineLimits(readMachineFacts())).spec;
}

async function dumped(spec: RuntimeSpec): Promise<string> {
  await tested.runtime.create(record(node, 'before'), spec, {});
  await tested.runtime.start(ref('before'), {});
  await eventually(counted, (n) => Number(n) > 3, 'it counts');
  await tested.runtime.checkpoint(ref('before'), { imagePath: images(), exit: true }, {});
  await tested.exitOf(ref('before'));
  await tested.runtime.delete(ref('before'));
  return counted();
}

async function restore(spec: RuntimeSpec): Promise<number> {
  await tested.runtime.create(record(node, 'after', { restoreFrom: images() }), spec, {});
  return (await tested.runtime.start(ref('after'), {})).pid;
}

const withProcess = (more: Partial<RuntimeSpec['process'] & object>) => (spec: RuntimeSpec) => ({
  ...spec,
  process: { cwd: '/', ...spec.process, ...more },
});

/** What it was made with beyond the task that it is restored as → what the refusal names. */
const wider: readonly (readonly [what: string, made: () => RuntimeSpec, said: RegExp])[] = [
  ['capabilities', () => specWith({ capabilities: [...capabilities, 'CAP_NET_RAW'] }), /CapBnd holds NET_RAW/],
  ['no seccomp filter', () => specWith({ seccomp: undefined }), /Seccomp is 0/],
  ['a way to new rights', () => specWith({ noNewPrivileges: false }), /NoNewPrivs is 0/],
  ['groups', () => specWith({ user: { uid: 0, gid: 0, additionalGids: [5] } }), /Groups holds group 5/],
  ['open files', () => specWith({}, withProcess({ rlimits: [] })), /limits \(RLIMIT_CORE\) is/],
  ['an open /proc', () => specWith({ unmasked: true }), /mountinfo \(\/proc\/[a-z]+\)/],
];

describe('a restore as a task with narrower rights', () => {
  it.each(wider)('is refused before an instruction has run: %s', async (_, made, said) => {
    const reached = await dumped(made());
    await expect(restore(specWith())).rejects.toThrow(
      expect.objectContaining({ reason: 'RestoreRefused', message: expect.stringMatching(said) as string }),
    );
    expect(counted()).toBe(reached);
    expect(node.leftovers()).toEqual([]);
    await tested.runtime.delete(ref('after'));
    expect(counted()).toBe(reached);
    expect(existsSync(join(node.rootfs, 'bin/busybox'))).toBe(true);
  });

  it.each<[string, () => RuntimeSpec, RegExp]>([
    ['another user', () => specWith({ user: { uid: 1000, gid: 0 } }), /Uid is 0, not 1000/],
    ['another group', () => specWith({ user: { uid: 0, gid: 1000 } }), /Gid holds group 0/],
    [
      'an earlier end for want of memory',
      () => specWith({}, withProcess({ oomScoreAdj: 500 })),
      /oom_score_adj is 0, below 500/,
    ],
  ])('is refused before an instruction has run as well where that demands %s', async (_, demanded, said) => {
    const reached = await dumped(specWith());
    await expect(restore(demanded())).rejects.toThrow(said);
    expect(counted()).toBe(reached);
    expect(node.leftovers()).toEqual([]);
    await tested.runtime.delete(ref('after'));
  });

  it('names the process and its place in the task', async () => {
    await dumped(specWith({ noNewPrivileges: false }));
    await expect(restore(specWith())).rejects.toThrow(/killed before it ran: process 1 \(sh\): NoNewPrivs is 0/);
    await tested.runtime.delete(ref('after'));
  });
});

describe('a restore as a task with the same rights', () => {
  it('goes on as confined as it was', async () => {
    const reached = Number(await dumped(specWith({ user: { uid: 0, gid: 0, additionalGids: [20] } })));
    const pid = await restore(specWith({ user: { uid: 0, gid: 0, additionalGids: [20] } }));
    await eventually(counted, (n) => Number(n) > reached + 3, 'it counts on');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^Groups:\t20 $/m);
    // CRIU brings the root file system back writable.
    expect(readFileSync(`/proc/${pid}/mountinfo`, 'utf8')).toMatch(/^\S+ \S+ \S+ \S+ \/ ro[, ]/m);
    expect(await tested.runtime.pids(ref('after'))).toContain(pid);
    await tested.runtime.kill(ref('after'), 9);
    expect(await tested.exitOf(ref('after'))).toMatchObject({ status: 137, reason: 'Exited' });
    await tested.runtime.delete(ref('after'));
    expect(node.leftovers()).toEqual([]);
  });

  it('and with wider ones, which it does not get', async () => {
    await dumped(specWith());
    const pid = await restore(specWith({ capabilities: [...capabilities, 'CAP_NET_RAW'] }));
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).not.toMatch(/^CapBnd:\t.*2...$/m);
    await tested.runtime.delete(ref('after'));
  });
});
