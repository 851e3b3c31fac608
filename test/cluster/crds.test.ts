import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { validateNodeTask } from '#kubernetes/node-task/validate.ts';
import { startApiServer, type ApiServer } from '../support/api-server.ts';

const apiVersion = 'runlet.dev/v1alpha1';
const good = { nodeName: 'a', image: 'docker.io/library/busybox:1.37' };
const rootfs = { nodeName: 'a', rootfs: { path: '/srv/demo' }, command: ['/bin/sh'] };

/** What both the server and the agent refuse: what is said, and what is wrong with it. */
const refused: readonly (readonly [string, object])[] = [
  ['must have exactly one of image, rootfs', { nodeName: 'a' }],
  ['must have exactly one of image, rootfs', { ...rootfs, image: 'busybox' }],
  ['nodeName', { image: 'busybox' }],
  ['must be a reference to a registry', { ...good, image: 'oci:images/web:1' }],
  ['must be a reference to a registry', { ...good, image: 'docker-archive:/x.tar' }],
  ['must be an image reference', { ...good, image: 'Not An Image' }],
  ['must not be the root of the node', { ...rootfs, rootfs: { path: '/' } }],
  ['rootfs.path', { ...rootfs, rootfs: { path: '/srv/../etc' } }],
  ['rootfs.path', { ...rootfs, rootfs: { path: 'srv' } }],
  ['command is required with rootfs', { nodeName: 'a', rootfs: { path: '/srv/demo' } }],
  ['runState', { ...good, runState: 'Sleeping' }],
  [
    'value or valueFrom',
    { ...good, env: [{ name: 'A', value: '1', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } }] },
  ],
  ['must have exactly one of fieldRef', { ...good, env: [{ name: 'A', valueFrom: {} }] }],
  ['name', { ...good, env: [{ name: 'A=B', value: '1' }] }],
  ['fieldPath', { ...good, env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.pid' } } }] }],
  ['must have exactly one of configMapRef, secretRef', { ...good, envFrom: [{ prefix: 'X_' }] }],
  ['must have exactly one of emptyDir', { ...good, volumes: [{ name: 'v' }] }],
  ['must have exactly one of emptyDir', { ...good, volumes: [{ name: 'v', emptyDir: {}, configMap: { name: 'c' } }] }],
  ['sizeLimit must be more than 0', { ...good, volumes: [{ name: 'v', emptyDir: { sizeLimit: '0' } }] }],
  [
    'Duplicate value',
    {
      ...good,
      volumes: [
        { name: 'v', emptyDir: {} },
        { name: 'v', emptyDir: {} },
      ],
    },
  ],
  ['must have the name of one of volumes', { ...good, volumeMounts: [{ name: 'v', mountPath: '/m' }] }],
  ['must not be the root', { ...good, ...mounted('/./') }],
  ['must not be in /proc', { ...good, ...mounted('//proc/sys') }],
  ['mountPath', { ...good, ...mounted('/a/../b') }],
  ['subPath', { ...good, ...mounted('/m', { subPath: '../up' }) }],
  ['subPath', { ...good, ...mounted('/m', { subPath: '/abs' }) }],
  ['known resources are', limits({ gpu: 1 })],
  ['must be more than 0', limits({ cpu: 0 })],
  ['must be more than 0', limits({ memory: '-1Mi' })],
  ['limits', limits({ memory: 'much' })],
  ['be a multiple of it', limits({ 'hugepages-2Mi': '3Mi' })],
  ['must name a page size', limits({ 'hugepages-big': '2Mi' })],
  ['known requests are cpu and memory', resources({ requests: { pids: 5 } })],
  ['must not be negative', resources({ requests: { cpu: '-1' } })],
  ['requests must not be more than limits', resources({ limits: { memory: '1Mi' }, requests: { memory: '2Mi' } })],
  ['memoryHigh must be more than 0', resources({ memoryHigh: 0 })],
  ['memoryHigh must not be more than limits.memory', resources({ limits: { memory: '1Mi' }, memoryHigh: '2Mi' })],
  ['memorySwap needs limits.memory', resources({ memorySwap: '1Mi' })],
  ['memorySwap must not be negative', resources({ limits: { memory: '1Mi' }, memorySwap: '-1' })],
  ['ends before it begins', resources({ cpuset: { cpus: '0,3-1' } })],
  ['cpus', resources({ cpuset: { cpus: 'all' } })],
  ['must have one of readBytesPerSecond', resources({ io: { devices: [{ device: '8:0' }] } })],
  ['Duplicate value', resources({ io: { devices: [io('8:0'), io('8:0')] } })],
  ['runAsUser must not be 0', security({ runAsNonRoot: true, runAsUser: 0 })],
  ['allowPrivilegeEscalation must not be false', security({ privileged: true, allowPrivilegeEscalation: false })],
  ['is no capability of Linux', security({ capabilities: { add: ['FLY'] } })],
  ['is no capability of Linux', security({ capabilities: { drop: ['CAP_FLY'] } })],
  ['localhostProfile is required', security({ seccompProfile: { type: 'Localhost' } })],
  ['localhostProfile is required', security({ appArmorProfile: { type: 'Unconfined', localhostProfile: 'x' } })],
  ['must be a signal', { ...good, stopSignal: 'NONSENSE' }],
  ['must be a signal', { ...good, stopSignal: '65' }],
  ['must be a signal', { ...good, stopSignal: 'RTMIN+31' }],
  ['terminationGracePeriodSeconds', { ...good, terminationGracePeriodSeconds: -1 }],
  ['mode', { ...good, network: { mode: 'Bridge' } }],
];

const admitted: readonly object[] = [
  good,
  rootfs,
  {
    ...good,
    image: `registry.example:5000/a/b@sha256:${'0'.repeat(64)}`,
    env: [
      { name: 'A', value: '1' },
      { name: 'A', value: '2' },
    ],
  },
  { ...good, ...mounted('/m/.hidden/..not', { subPath: 'a/..b/.c' }), stopSignal: 'sigrtmin+30' },
  { ...good, stopSignal: 'RTMAX-1' },
  { ...good, stopSignal: '15', restoreFrom: { checkpointName: 'c1' } },
  limits({ cpu: '100m', memory: 67108864, pids: '100', 'hugepages-2Mi': '4Mi' }),
  resources({
    limits: { memory: '64Mi' },
    requests: { memory: '64Mi', cpu: '0.5' },
    memoryHigh: '64Mi',
    memorySwap: 0,
  }),
  resources({ cpuset: { cpus: '0-3,8', mems: '0' }, io: { weight: 100, devices: [io('8:0'), io('8:16')] } }),
  security({
    capabilities: { add: ['NET_ADMIN', 'CAP_SYS_TIME'], drop: ['ALL'] },
    seccompProfile: { type: 'Localhost', localhostProfile: 'x.json' },
  }),
  security({ runAsNonRoot: true, runAsUser: 1000, privileged: true }),
];

describe('the CRDs on a modern API server', () => {
  let server: ApiServer;
  let serial = 0;

  beforeAll(async () => {
    server = await startApiServer({ kind: 'modern' });
  });

  afterAll(async () => await server[Symbol.asyncDispose]());

  async function create(kind: string, spec: object, name = `x${(serial += 1)}`) {
    const path = `/apis/${apiVersion}/namespaces/default/${kind.toLowerCase()}s`;
    return await server.request('POST', path, { apiVersion, kind, metadata: { name }, spec });
  }

  async function patch(kind: string, name: string, spec: object) {
    const path = `/apis/${apiVersion}/namespaces/default/${kind.toLowerCase()}s/${name}`;
    return await server.request('PATCH', path, { spec }, 'application/merge-patch+json');
  }

  it.each(refused)('refuses what the agent refuses: %s', async (message, spec) => {
    const { status, body } = await create('NodeTask', spec);
    expect({ status, message: body['message'] }).toEqual({ status: 422, message: expect.stringContaining(message) });
    expect(validateNodeTask(whole(spec), { source: 'cluster', nodeName: 'a' }).problems).not.toBeUndefined();
  });

  it.each(admitted)('admits what the agent admits: %j', async (spec) => {
    const { status, body } = await create('NodeTask', spec);
    expect({ status, message: body['message'] }).toEqual({ status: 201, message: undefined });
    expect(validateNodeTask(whole(spec), { source: 'cluster', nodeName: 'a' }).problems).toBeUndefined();
  });

  it.each(['a--b', 'a.-b', 'x'.repeat(64)])('refuses the name %s', async (name) => {
    expect((await create('NodeTask', good, name)).status).toBe(422);
  });

  it('lets runState change, and never nodeName nor restoreFrom', async () => {
    await create('NodeTask', good, 'changes');
    expect((await patch('NodeTask', 'changes', { runState: 'Paused', resources: { limits: { cpu: 1 } } })).status).toBe(
      200,
    );
    for (const spec of [{ nodeName: 'b' }, { restoreFrom: { checkpointName: 'c' } }]) {
      const { status, body } = await patch('NodeTask', 'changes', spec);
      expect({ status, message: body['message'] }).toEqual({
        status: 422,
        message: expect.stringContaining('never changes'),
      });
    }
    await create('NodeTask', { ...good, restoreFrom: { checkpointName: 'c' } }, 'restored');
    for (const restoreFrom of [null, { checkpointName: 'd' }]) {
      expect((await patch('NodeTask', 'restored', { restoreFrom })).status).toBe(422);
    }
  });

  it('fills in defaults', async () => {
    const { body } = await create('NodeTask', good);
    expect(body['spec']).toEqual({
      ...good,
      runState: 'Running',
      tty: false,
      stdin: false,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      rebootPolicy: 'WaitForAPIServer',
    });
  });

  const target = { nodeName: 'a', taskName: 't' };

  it.each([
    ['NodeTaskExec', { ...target, command: ['id'] }, { timeoutSeconds: 5 }],
    ['NodeTaskSignal', { ...target, signal: 'HUP' }, { signal: 'TERM' }],
    ['NodeTaskCheckpoint', target, { afterCheckpoint: 'Stop' }],
  ])('never lets the spec of a %s change', async (kind, spec, change) => {
    expect((await create(kind, spec, 'once')).status).toBe(201);
    const { status, body } = await patch(kind, 'once', change);
    expect({ status, message: body['message'] }).toEqual({
      status: 422,
      message: expect.stringContaining('never changes'),
    });
  });

  it.each([
    ['NodeTaskExec', target],
    ['NodeTaskExec', { ...target, command: [] }],
    ['NodeTaskExec', { ...target, command: ['id'], timeoutSeconds: 3601 }],
    ['NodeTaskExec', { ...target, command: ['id'], capture: 'All' }],
    ['NodeTaskSignal', { ...target, signal: 'NONSENSE' }],
    ['NodeTaskSignal', { ...target, signal: 'HUP', scope: 'Everything' }],
    ['NodeTaskCheckpoint', { ...target, taskName: 'a--b' }],
    ['NodeTaskCheckpoint', { taskName: 't' }],
  ])('refuses a %s that says %j', async (kind, spec) => {
    expect((await create(kind, spec)).status).toBe(422);
  });

  it('selects by node and, of requests, by task', async () => {
    await create('NodeTaskExec', { nodeName: 'n', taskName: 'sel', command: ['id'] }, 'selected');
    for (const selector of ['spec.nodeName=n', 'spec.taskName=sel']) {
      const rows = await server.kubectl(['get', 'rltx', `--field-selector=${selector}`, '-o', 'name']);
      expect(rows.trim()).toBe('nodetaskexec.runlet.dev/selected');
    }
  });

  it('lists every kind under one category', async () => {
    expect(await server.kubectl(['get', 'runlet', '-o', 'name'])).toContain('nodetasksignal.runlet.dev/once');
  });
});

function whole(spec: object): object {
  return { apiVersion, kind: 'NodeTask', metadata: { name: 'x', namespace: 'default', uid: 'u' }, spec };
}

function mounted(mountPath: string, more: object = {}): object {
  return { volumes: [{ name: 'v', emptyDir: {} }], volumeMounts: [{ name: 'v', mountPath, ...more }] };
}

function resources(value: object): object {
  return { ...good, resources: value };
}

function limits(value: object): object {
  return resources({ limits: value });
}

function io(device: string): object {
  return { device, readBytesPerSecond: 1024 };
}

function security(securityContext: object): object {
  return { ...good, securityContext };
}
