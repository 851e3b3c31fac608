import { describe, expect, it } from 'vitest';
import { allCapabilities } from '#oci/capabilities.ts';
import type { MachineLimits } from '#oci/machine.ts';
import { toRuntimeSpec } from '../node-task/runtime-spec.ts';
import { resourcesSchema } from '../node-task/schema-resources.ts';
import { securityContextSchema } from '../node-task/schema-security.ts';
import { volumeMountSchema, volumeSchema } from '../node-task/schema-volumes.ts';
import { specSchema } from '../node-task/schema.ts';
import type { NodeTask } from '../node-task/types.ts';
import { validateNodeTask } from '../node-task/validate.ts';
import { levelProblems, underLevel } from '../security/judge.ts';
import { parsePolicy } from './policy.ts';

const policy = parsePolicy(
  'limits: {cpu: "1", memory: 1Gi, memorySwap: 64Mi, pids: 100, ioWeight: 200, hugepages-2Mi: 4Mi}',
);
/** Within the policy in everything. */
const modest = { limits: { cpu: '1', memory: '1Gi', 'hugepages-2Mi': '4Mi' } };
const machine: MachineLimits = {
  ...{ architecture: 'amd64', capabilities: allCapabilities, seccomp: true, oomScoreAdj: 0, hardLimits: {} },
  appArmorProfiles: ['docker-default', 'mine'],
  cgroup: {
    ...{ version: 2, controllers: ['cpu', 'memory', 'pids'], swap: true, hugePageSizes: [], cpus: '0', mems: '0' },
  },
};

/** By which rule of NodeTasks themselves a specification is refused. */
function invalid(spec: object): readonly string[] {
  return (read(spec).problems ?? []).map(({ path }) => path);
}

function read(spec: object): ReturnType<typeof validateNodeTask> {
  const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'web', namespace: 'a' } };
  const source = 'rootfs' in spec ? {} : { image: 'busybox:1' };
  return validateNodeTask(
    { ...object, spec: { nodeName: 'n', ...source, command: ['sh'], ...spec } },
    { source: 'cluster', nodeName: 'n' },
  );
}

function taskOf(spec: object): NodeTask {
  const { task, problems } = read(spec);
  if (!task) throw new Error(JSON.stringify(problems));
  return task;
}

/** The fields that the policy names. */
function overPolicy(resources: object): readonly string[] {
  try {
    policy.checkLimits(taskOf({ resources }).spec.resources, 100);
    return [];
  } catch (error) {
    return [...(error as Error).message.matchAll(/spec\.resources\.[\w.-]+/g)].map(([path]) => path);
  }
}

/** The fields that the level names. */
function overLevel(spec: object, level: 'baseline' | 'restricted'): readonly string[] {
  const task = underLevel(taskOf(spec), level);
  const uid = task.spec.securityContext?.runAsUser ?? 0;
  const request = { task, user: { uid, gid: uid, additionalGids: [], home: '/' }, variables: new Map(), mounts: [] };
  const { spec: made } = toRuntimeSpec({
    ...{ ...request, machine, defaultPidsLimit: 100, localSeccomp: { defaultAction: 'SCMP_ACT_ERRNO' } },
  });
  return levelProblems(task, level, made).map(({ path }) => path);
}

/** Who keeps a field of `spec.resources` in bounds, with the most that gets past and what does not. */
const resourceBounds: Readonly<Record<string, Bound>> = {
  'limits.cpu': { by: 'policy', least: { ...modest }, most: { limits: { ...modest.limits, cpu: '1001m' } } },
  'limits.memory': { by: 'policy', least: { ...modest }, most: { limits: { ...modest.limits, memory: '1025Mi' } } },
  'limits.pids': {
    by: 'policy',
    least: { limits: { ...modest.limits, pids: '100' } },
    most: { limits: { ...modest.limits, pids: '101' } },
  },
  'limits.hugepages-2Mi': {
    by: 'policy',
    least: { ...modest },
    most: { limits: { ...modest.limits, 'hugepages-2Mi': '6Mi' } },
  },
  'requests.cpu': {
    by: 'its limit',
    least: { ...modest, requests: { cpu: '1' } },
    most: { ...modest, requests: { cpu: '2' } },
  },
  'requests.memory': {
    by: 'its limit',
    least: { ...modest, requests: { memory: '1Gi' } },
    most: { ...modest, requests: { memory: '2Gi' } },
  },
  memoryHigh: { by: 'its limit', least: { ...modest, memoryHigh: '1Gi' }, most: { ...modest, memoryHigh: '2Gi' } },
  memorySwap: { by: 'policy', least: { ...modest, memorySwap: '64Mi' }, most: { ...modest, memorySwap: '65Mi' } },
  'io.weight': { by: 'policy', least: { ...modest, io: { weight: 200 } }, most: { ...modest, io: { weight: 201 } } },
  'io.devices': {
    by: 'nothing: it narrows',
    least: { ...modest, io: { devices: [{ device: '8:0', readBytesPerSecond: 1 }] } },
  },
  cpuset: { by: 'nothing: it narrows', least: { ...modest, cpuset: { cpus: '0-9999', mems: '0' } } },
};

interface Bound {
  readonly by: 'policy' | 'its limit' | 'nothing: it narrows';
  readonly least: object;
  readonly most?: object;
}

const hostPath = { volumes: [{ name: 'h', hostPath: { path: '/srv' } }] };
const user = { runAsUser: 1 };
const security = (securityContext: object) => ({ securityContext: { ...user, ...securityContext } });
const unconfined = { type: 'Unconfined' };

/** Fields that decide what a task may do → a dangerous value, and the narrowest level that still takes it. */
const levelBounds: Readonly<Record<string, readonly [spec: object, taken: 'baseline' | 'privileged' | 'restricted']>> =
  {
    'securityContext.runAsUser': [{ securityContext: { runAsUser: 0 } }, 'baseline'],
    'securityContext.runAsGroup': [security({ runAsGroup: 0 }), 'restricted'],
    'securityContext.supplementalGroups': [security({ supplementalGroups: [0] }), 'restricted'],
    'securityContext.runAsNonRoot': [security({ runAsNonRoot: false }), 'restricted'],
    'securityContext.readOnlyRootFilesystem': [security({ readOnlyRootFilesystem: false }), 'restricted'],
    'securityContext.allowPrivilegeEscalation': [security({ allowPrivilegeEscalation: true }), 'baseline'],
    'securityContext.capabilities': [security({ capabilities: { add: ['SYS_ADMIN'] } }), 'privileged'],
    'securityContext.seccompProfile': [security({ seccompProfile: unconfined }), 'privileged'],
    'securityContext.appArmorProfile': [security({ appArmorProfile: unconfined }), 'privileged'],
    'securityContext.procMount': [security({ procMount: 'Unmasked' }), 'privileged'],
    'securityContext.privileged': [security({ privileged: true }), 'privileged'],
    'volumes.emptyDir': [{ ...security({}), volumes: [{ name: 'e', emptyDir: {} }] }, 'restricted'],
    'volumes.hostPath': [{ ...security({}), ...hostPath }, 'privileged'],
    'volumes.configMap': [{ ...security({}), volumes: [{ name: 'c', configMap: { name: 'c' } }] }, 'restricted'],
    'volumes.secret': [{ ...security({}), volumes: [{ name: 's', secret: { secretName: 's' } }] }, 'restricted'],
    rootfs: [{ ...security({}), rootfs: { path: '/srv/a' } }, 'privileged'],
    network: [{ ...security({}), network: { mode: 'Host' } }, 'privileged'],
  };

/** Fields that give no rights, and why. */
const harmless: Readonly<Record<string, string>> = {
  nodeName: 'says where',
  runState: 'says whether',
  restartPolicy: 'says when',
  rebootPolicy: 'says when',
  image: 'is bounded by the policy’s registries',
  imagePullPolicy: 'says when',
  command: 'runs as confined',
  args: 'runs as confined',
  workingDir: 'is in the root file system',
  env: 'is for the process',
  envFrom: 'reads what the agent was given',
  tty: 'is a terminal of its own',
  stdin: 'is a stream of its own',
  volumeMounts: 'leads below its volumes',
  stopSignal: 'ends it',
  terminationGracePeriodSeconds: 'ends it',
  activeDeadlineSeconds: 'ends it',
  ttlSecondsAfterFinished: 'removes it',
  restoreFrom: 'is proved to keep within the rest',
};

const below = (prefix: string, names: readonly string[]) =>
  Object.keys({ ...levelBounds, ...harmless }).flatMap((name) => {
    const [head, field] = name.split('.');
    return head === prefix && field !== undefined && names.includes(field) ? [field] : [];
  });

describe('what bounds a resource of a task', () => {
  it.each(Object.entries(resourceBounds))('%s', (field, { by, least, most }) => {
    expect(invalid({ resources: least })).toEqual([]);
    expect(overPolicy(least)).toEqual([]);
    const refused = by === 'policy' ? overPolicy(most ?? {}) : invalid({ resources: most ?? least });
    expect(refused).toEqual(most ? [`spec.resources.${field}`] : []);
  });

  it('is said of every field that there is', () => {
    const heads = new Set(Object.keys(resourceBounds).map((field) => field.split('.')[0] ?? ''));
    expect([...heads].toSorted()).toEqual(Object.keys(resourcesSchema.shape).toSorted());
  });

  it('cannot be got round by leaving it out', () => {
    expect(overPolicy({})).toEqual(
      [
        ...['limits.cpu', 'limits.memory', 'memorySwap', 'limits.hugepages-2Mi'].map(
          (name) => `spec.resources.${name}`,
        ),
      ].toSorted(byPolicy),
    );
  });

  it('keeps swap out where only memory is bounded', () => {
    const memory = parsePolicy('limits: {memory: 1Gi}');
    const check = (resources: object) => () => memory.checkLimits(taskOf({ resources }).spec.resources, 100);
    expect(check({ limits: { memory: '1Gi' }, memorySwap: 1 })).toThrow(
      /spec\.resources\.memorySwap: must be 0 or absent/,
    );
    expect(check({ limits: { memory: '1Gi' }, memorySwap: 0 })).not.toThrow();
    expect(check({ limits: { memory: '1Gi' } })).not.toThrow();
  });
});

/** The order of the policy's own fields. */
function byPolicy(one: string, other: string): number {
  const order = ['memorySwap', 'limits.cpu', 'limits.memory', 'limits.hugepages-2Mi'];
  const at = (path: string) => order.findIndex((name) => path.endsWith(name));
  return at(one) - at(other);
}

describe('which level bounds a right of a task', () => {
  it.each(Object.entries(levelBounds))('%s', (_, [spec, taken]) => {
    const refusals = { baseline: overLevel(spec, 'baseline'), restricted: overLevel(spec, 'restricted') };
    expect([refusals.baseline.length > 0, refusals.restricted.length > 0]).toEqual([
      taken === 'privileged',
      taken !== 'restricted',
    ]);
  });

  it('is said of every field that there is', () => {
    const sources = Object.keys(volumeSchema.shape).filter((name) => name !== 'name');
    expect(below('securityContext', Object.keys(securityContextSchema.shape))).toEqual(
      Object.keys(securityContextSchema.shape),
    );
    expect(below('volumes', sources)).toEqual(sources);
    expect(Object.keys(volumeMountSchema.shape)).toEqual(['name', 'mountPath', 'readOnly', 'subPath']);
    const said = [...Object.keys(levelBounds), ...Object.keys(harmless), 'resources'];
    expect([...new Set(said.map((name) => name.split('.')[0] ?? ''))].toSorted()).toEqual(
      Object.keys(specSchema.shape).toSorted(),
    );
  });
});
