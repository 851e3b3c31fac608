import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allCapabilities } from '#oci/capabilities.ts';
import type { MachineLimits } from '#oci/machine.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { toRuntimeSpec } from '../node-task/runtime-spec.ts';
import type { NodeTask } from '../node-task/types.ts';
import { validateNodeTask } from '../node-task/validate.ts';
import type { PodSecurityLevel } from '../reconcile/source.ts';
import { checkLevel, levelProblems, narrower, underLevel } from './judge.ts';

const machine: MachineLimits = {
  ...{ architecture: 'amd64', capabilities: allCapabilities, seccomp: true, oomScoreAdj: 0, hardLimits: {} },
  appArmorProfiles: ['docker-default', 'mine'],
  cgroup: {
    ...{ version: 2, controllers: ['cpu', 'memory', 'pids'], swap: true, hugePageSizes: [], cpus: '0', mems: '0' },
  },
};

function taskOf(spec: object): NodeTask {
  const { task, problems } = validateNodeTask(
    {
      apiVersion: 'runlet.dev/v1alpha1',
      kind: 'NodeTask',
      metadata: { name: 'web', namespace: 'team-a' },
      spec: { nodeName: 'node-a', ...('rootfs' in spec ? {} : { image: 'busybox:1' }), command: ['sh'], ...spec },
    },
    { source: 'local', nodeName: 'node-a' },
  );
  if (!task) throw new Error(JSON.stringify(problems));
  return task;
}

function specOf(task: NodeTask): RuntimeSpec {
  const uid = task.spec.securityContext?.runAsUser ?? 0;
  return toRuntimeSpec({
    ...{ task, user: { uid, gid: uid, additionalGids: [], home: '/' }, variables: new Map(), mounts: [], machine },
    defaultPidsLimit: 100,
    localSeccomp: { defaultAction: 'SCMP_ACT_ERRNO' },
  }).spec;
}

function judged(spec: object, level: PodSecurityLevel): readonly string[] {
  const task = underLevel(taskOf(spec), level);
  return levelProblems(task, level, specOf(task)).map(({ path }) => path);
}

const security = (securityContext: object) => ({ securityContext });

/** What is asked for → the field that baseline and restricted name. */
const refused: readonly (readonly [what: string, spec: object, field: string, from: 'baseline' | 'restricted'])[] = [
  ['a root file system', { rootfs: { path: '/srv/a' } }, 'spec.rootfs', 'baseline'],
  ['a hostPath', { volumes: [{ name: 'h', hostPath: { path: '/srv' } }] }, 'spec.volumes[0].hostPath', 'baseline'],
  ['the node’s network', { network: { mode: 'Host' } }, 'spec.network.mode', 'baseline'],
  ['privileged', security({ privileged: true }), 'spec.securityContext.privileged', 'baseline'],
  [
    'NET_ADMIN',
    security({ capabilities: { add: ['NET_ADMIN'] } }),
    'spec.securityContext.capabilities.add',
    'baseline',
  ],
  ['NET_RAW', security({ capabilities: { add: ['NET_RAW'] } }), 'spec.securityContext.capabilities.add', 'baseline'],
  ['all', security({ capabilities: { add: ['ALL'] } }), 'spec.securityContext.capabilities.add', 'baseline'],
  [
    'no seccomp',
    security({ seccompProfile: { type: 'Unconfined' } }),
    'spec.securityContext.seccompProfile.type',
    'baseline',
  ],
  [
    'no AppArmor',
    security({ appArmorProfile: { type: 'Unconfined' } }),
    'spec.securityContext.appArmorProfile.type',
    'baseline',
  ],
  ['an open /proc', security({ procMount: 'Unmasked' }), 'spec.securityContext.procMount', 'baseline'],
  ['user 0', {}, 'spec.securityContext.runAsUser', 'restricted'],
  [
    'setuid programs',
    security({ runAsUser: 1, allowPrivilegeEscalation: true }),
    'spec.securityContext.allowPrivilegeEscalation',
    'restricted',
  ],
  [
    'CHOWN',
    security({ runAsUser: 1, capabilities: { add: ['CHOWN'] } }),
    'spec.securityContext.capabilities.add',
    'restricted',
  ],
];

function profile(name: string): fc.Arbitrary<object> {
  return fc.constantFrom(
    { type: 'RuntimeDefault' },
    { type: 'Unconfined' },
    { type: 'Localhost', localhostProfile: name },
  );
}

describe('a Pod Security level', () => {
  it.each(refused)('refuses %s and names the field', (_, spec, field, from) => {
    expect(judged(spec, 'restricted')).toContain(field);
    expect(judged(spec, 'baseline').includes(field)).toBe(from === 'baseline');
    expect(judged(spec, 'privileged')).toEqual([]);
  });

  it('admits a task that asks for nothing under baseline, and with a user under restricted', () => {
    expect(judged({}, 'baseline')).toEqual([]);
    expect(judged(security({ runAsUser: 1000 }), 'restricted')).toEqual([]);
    expect(judged(security({ runAsUser: 1000, capabilities: { add: ['NET_BIND_SERVICE'] } }), 'restricted')).toEqual(
      [],
    );
    const volumes = [
      { name: 'a', emptyDir: {} },
      { name: 'b', configMap: { name: 'c' } },
    ];
    expect(judged({ ...security({ runAsUser: 1 }), volumes }, 'restricted')).toEqual([]);
  });

  it('drops under restricted the capabilities that a task does not name', () => {
    const named = underLevel(
      taskOf(security({ runAsUser: 1, capabilities: { add: ['NET_BIND_SERVICE'] } })),
      'restricted',
    );
    expect(specOf(named).process?.capabilities?.bounding).toEqual(['CAP_NET_BIND_SERVICE']);
    const plain = taskOf(security({ runAsUser: 1 }));
    expect(specOf(underLevel(plain, 'restricted')).process?.capabilities?.bounding).toEqual([]);
    expect(underLevel(plain, 'baseline')).toBe(plain);
  });

  it('says which level it is and all that is refused, as a violation of policy', () => {
    const task = taskOf({ network: { mode: 'Host' }, securityContext: { privileged: true } });
    expect(() => checkLevel(task, 'baseline', specOf(task))).toThrow(
      expect.objectContaining({
        reason: 'PolicyViolation',
        message: expect.stringMatching(
          /level is baseline: .*spec\.securityContext\.privileged.*spec\.network\.mode/,
        ) as string,
      }),
    );
  });

  it('refuses what no field leads to, whoever has put it into the specification', () => {
    const task = taskOf({});
    const spec = specOf(task);
    const refuses = (changed: RuntimeSpec, what: RegExp) =>
      expect(() => checkLevel(task, 'baseline', changed)).toThrow(what);
    refuses({ ...spec, hooks: { prestart: [{ path: '/bin/sh' }] } }, /hooks/);
    refuses({ ...spec, linux: { ...spec.linux, sysctl: { 'kernel.core_pattern': '|/x' } } }, /kernel\.core_pattern/);
    refuses({ ...spec, mounts: [{ destination: '/h', type: 'bind', source: '/' }] }, /mount the node’s own at \/h/);
    refuses({ ...spec, linux: { ...spec.linux, devices: [{ type: 'b', path: '/dev/sda' }] } }, /device/);
    refuses(
      { ...spec, linux: { ...spec.linux, namespaces: [{ type: 'pid', path: '/proc/1/ns/pid' }] } },
      /pid namespace/,
    );
  });

  it('gives nothing outside of its envelope to what it admits', () => {
    const capability = fc.constantFrom('ALL', ...allCapabilities.map((name) => name.slice('CAP_'.length)));
    const securityContext = fc.record(
      {
        runAsUser: fc.nat(3),
        privileged: fc.boolean(),
        allowPrivilegeEscalation: fc.boolean(),
        procMount: fc.constantFrom('Default', 'Unmasked'),
        capabilities: fc.record(
          { add: fc.array(capability, { maxLength: 3 }), drop: fc.array(capability, { maxLength: 3 }) },
          { requiredKeys: [] },
        ),
        seccompProfile: profile('mine.json'),
        appArmorProfile: profile('mine'),
      },
      { requiredKeys: [] },
    );
    const network = fc.constantFrom('None', 'Host');
    const level = fc.constantFrom('baseline', 'restricted');
    fc.assert(
      fc.property(securityContext, network, level, (context, net, under) => {
        const { privileged, allowPrivilegeEscalation } = context;
        fc.pre(!(privileged && allowPrivilegeEscalation === false));
        const task = underLevel(taskOf({ securityContext: context, network: { mode: net } }), under);
        const spec = specOf(task);
        if (levelProblems(task, under, spec).length > 0) return;
        const { process, linux } = spec;
        const wide =
          /^CAP_(?:AUDIT_WRITE|CHOWN|DAC_OVERRIDE|FOWNER|FSETID|KILL|MKNOD|NET_BIND_SERVICE|SET.*|SYS_CHROOT)$/;
        const held = Object.values(process?.capabilities ?? {}).flat() as readonly string[];
        expect(held.filter((name) => !(under === 'baseline' ? wide : /^CAP_NET_BIND_SERVICE$/).test(name))).toEqual([]);
        expect((linux?.namespaces ?? []).map(({ type }) => type).toSorted()).toEqual([
          'cgroup',
          'ipc',
          'mount',
          'network',
          'pid',
          'uts',
        ]);
        expect(linux?.seccomp).toBeDefined();
        expect(process?.apparmorProfile).not.toBe('unconfined');
        expect(linux?.maskedPaths).toContain('/proc/kcore');
        expect(linux?.readonlyPaths).toContain('/proc/sys');
        expect(linux?.devices ?? []).toEqual([]);
        expect((spec.mounts ?? []).filter(({ type }) => type === 'bind')).toEqual([]);
        const confined = process?.noNewPrivileges === true && process.user?.uid !== 0;
        expect(under === 'baseline' || confined).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('takes the narrower of two', () => {
    expect(narrower('privileged', 'baseline')).toBe('baseline');
    expect(narrower('restricted', 'privileged')).toBe('restricted');
  });
});
