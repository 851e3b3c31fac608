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

const rarely = fc.integer({ min: 0, max: 5 }).map((n) => n === 0);

const everyDanger = [
  ...['privileged', 'escalation', 'an open /proc', 'wide capabilities', 'no seccomp', 'no AppArmor'],
  ...['the node’s network', 'a hostPath', 'user 0'],
];

function isUnconfined(given: object | undefined): boolean {
  return given !== undefined && 'type' in given && given.type === 'Unconfined';
}

/** Which of the dangers a specification asks for. */
function dangers(asked: {
  readonly securityContext: Readonly<Record<string, unknown>> & {
    readonly capabilities?: { readonly add?: readonly string[] };
    readonly seccompProfile?: object;
    readonly appArmorProfile?: object;
  };
  readonly network: { readonly mode: string };
  readonly volumes: readonly object[];
}): readonly string[] {
  const { securityContext: context, network, volumes } = asked;
  const found: readonly (readonly [string, boolean])[] = [
    ['privileged', context['privileged'] === true],
    ['escalation', context['allowPrivilegeEscalation'] === true],
    ['an open /proc', context['procMount'] === 'Unmasked'],
    [
      'wide capabilities',
      (context.capabilities?.add ?? []).some((name) => /^(?:ALL|SYS_|NET_ADMIN|NET_RAW)/.test(name)),
    ],
    ['no seccomp', isUnconfined(context.seccompProfile)],
    ['no AppArmor', isUnconfined(context.appArmorProfile)],
    ['the node’s network', network.mode === 'Host'],
    ['a hostPath', volumes.some((volume) => 'hostPath' in volume)],
    ['user 0', (context['runAsUser'] ?? 0) === 0],
  ];
  return found.filter(([, is]) => is).map(([what]) => what);
}

const baselineNames =
  /^CAP_(?:AUDIT_WRITE|CHOWN|DAC_OVERRIDE|FOWNER|FSETID|KILL|MKNOD|NET_BIND_SERVICE|SETFCAP|SETGID|SETPCAP|SETUID|SYS_CHROOT)$/;
const ownNamespaces = ['cgroup', 'ipc', 'mount', 'network', 'pid', 'uts'];

/** What of a specification lies outside of a level, said once more and in other words than the rules that are tested. */
function outside(task: NodeTask, spec: RuntimeSpec, under: 'baseline' | 'restricted'): readonly string[] {
  const { process, linux, mounts = [] } = spec;
  const held = Object.values(process?.capabilities ?? {}).flat() as readonly string[];
  const allowed = under === 'baseline' ? baselineNames : /^CAP_NET_BIND_SERVICE$/;
  const namespaces = (linux?.namespaces ?? []).filter(({ path }) => path === undefined).map(({ type }) => type);
  const found: readonly (readonly [string, boolean])[] = [
    ['capabilities', held.some((name) => !allowed.test(name))],
    [
      'inherited',
      (process?.capabilities?.inheritable ?? []).length + (process?.capabilities?.ambient ?? []).length > 0,
    ],
    ['namespaces', ownNamespaces.some((type) => !namespaces.some((own) => own === type))],
    ['seccomp', linux?.seccomp === undefined],
    ['AppArmor', process?.apparmorProfile === 'unconfined'],
    ['/proc', !['/proc/kcore', '/proc/keys'].every((path) => linux?.maskedPaths?.includes(path))],
    ['/proc/sys', linux?.readonlyPaths?.includes('/proc/sys') !== true],
    ['devices', (linux?.devices ?? []).length > 0 || (linux?.resources?.devices ?? []).some(isWideRule)],
    ['binds', mounts.some(({ type, options }) => type === 'bind' || options?.includes('rbind') === true)],
    ['hooks', Object.keys(spec.hooks ?? {}).length > 0],
    ['sysctls', Object.keys(linux?.sysctl ?? {}).length > 0],
    ['propagation', linux?.rootfsPropagation !== undefined],
    ['cgroup files', Object.keys(linux?.resources?.unified ?? {}).some((name) => name.startsWith('cgroup.'))],
    ['hostPath', (task.spec.volumes ?? []).some(({ hostPath }) => hostPath !== undefined)],
    ['new rights', under === 'restricted' && process?.noNewPrivileges !== true],
    ['user 0', under === 'restricted' && (process?.user?.uid ?? 0) === 0],
  ];
  return found.filter(([, is]) => is).map(([what]) => what);
}

/** A rule for every device of a kind, with more than making its node. */
function isWideRule(rule: { readonly allow: boolean; readonly major?: number; readonly access?: string }): boolean {
  return rule.allow && rule.major === undefined && rule.access !== 'm';
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

  const capability = fc.constantFrom('ALL', ...allCapabilities.map((name) => name.slice('CAP_'.length)));
  const capabilities = fc.array(capability, { maxLength: 3 });
  /** Every field that decides what a task may do, dangerous values as often as others. */
  const wild = fc.record({
    securityContext: fc.record(
      {
        ...{ runAsUser: fc.nat(3), runAsGroup: fc.nat(3), supplementalGroups: fc.array(fc.nat(3), { maxLength: 2 }) },
        ...{ privileged: rarely, allowPrivilegeEscalation: fc.boolean(), readOnlyRootFilesystem: fc.boolean() },
        procMount: fc.constantFrom('Default', 'Unmasked'),
        capabilities: fc.record({ add: capabilities, drop: capabilities }, { requiredKeys: [] }),
        seccompProfile: profile('mine.json'),
        appArmorProfile: profile('mine'),
      },
      { requiredKeys: [] },
    ),
    network: fc.record({ mode: fc.constantFrom('None', 'None', 'Host') }),
    volumes: fc.uniqueArray(
      fc.oneof(
        { arbitrary: fc.constant({ name: 'e', emptyDir: {} }), weight: 3 },
        { arbitrary: fc.constant({ name: 'c', configMap: { name: 'c' } }), weight: 3 },
        {
          arbitrary: fc.constantFrom('/', '/etc', '/run').map((path) => ({ name: 'h', hostPath: { path } })),
          weight: 1,
        },
      ),
      { selector: ({ name }) => name, maxLength: 2 },
    ),
    tty: fc.boolean(),
  });
  /** Within both levels. */
  const modest = fc.record({
    securityContext: fc.record({
      runAsUser: fc.integer({ min: 1, max: 3 }),
      capabilities: fc.constantFrom({}, { add: ['NET_BIND_SERVICE'] }, { drop: ['ALL'] }),
    }),
    ...{ network: fc.constant({ mode: 'None' }), volumes: fc.constant([]), tty: fc.boolean() },
  });
  const wanted = fc.oneof({ arbitrary: wild, weight: 3 }, { arbitrary: modest, weight: 1 });
  /** What no field of a NodeTask leads to, as if a fault elsewhere had put it in. */
  const slipped = fc.constantFrom<[string, (spec: RuntimeSpec) => RuntimeSpec]>(
    ['nothing', (spec) => spec],
    ['nothing', (spec) => spec],
    ['a hook', (spec) => ({ ...spec, hooks: { createRuntime: [{ path: '/bin/sh' }] } })],
    ['a sysctl', (spec) => ({ ...spec, linux: { ...spec.linux, sysctl: { 'kernel.core_pattern': '|/x' } } })],
    ['a device', (spec) => ({ ...spec, linux: { ...spec.linux, devices: [{ type: 'b', path: '/dev/sda' }] } })],
    [
      'a mount',
      (spec) => ({ ...spec, mounts: [...(spec.mounts ?? []), { destination: '/h', type: 'bind', source: '/' }] }),
    ],
    ['a namespace', (spec) => ({ ...spec, linux: { ...spec.linux, namespaces: [] } })],
    ['propagation', (spec) => ({ ...spec, linux: { ...spec.linux, rootfsPropagation: 'rshared' } })],
    [
      'cgroup files',
      (spec) => ({ ...spec, linux: { ...spec.linux, resources: { unified: { 'cgroup.procs': '1' } } } }),
    ],
  );

  it.each(['baseline', 'restricted'] as const)('gives nothing outside of %s to what it admits', (under) => {
    const counts = new Map<string, number>();
    const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
    fc.assert(
      fc.property(wanted, slipped, (asked, [slip, put]) => {
        const { privileged, allowPrivilegeEscalation }: Readonly<Record<string, unknown>> = asked.securityContext;
        fc.pre(!(privileged && allowPrivilegeEscalation === false));
        const task = underLevel(taskOf(asked), under);
        const spec = put(specOf(task));
        for (const what of dangers(asked)) count(what);
        count(slip);
        if (levelProblems(task, under, spec).length > 0) return;
        count('admitted');
        expect(outside(task, spec, under)).toEqual([]);
      }),
      { numRuns: 1500 },
    );
    // Each danger was really met, and so was a task that is admitted: else all of this proves nothing.
    for (const what of [...everyDanger, 'admitted', 'a hook', 'a sysctl', 'a device', 'a mount', 'a namespace']) {
      expect(counts.get(what) ?? 0, what).toBeGreaterThan(5);
    }
  });

  it('takes the narrower of two', () => {
    expect(narrower('privileged', 'baseline')).toBe('baseline');
    expect(narrower('restricted', 'privileged')).toBe('restricted');
  });
});
