import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#async/clock.ts';
import { openCluster, type Cluster } from '#kubernetes/cluster/cluster.ts';
import type { NodeTaskStatus } from '#kubernetes/node-task/types.ts';
import type { ObjectIdentity } from '#kubernetes/reconcile/source.ts';
import { silentLog } from '#log/log.ts';
import { admin, agentUser, readCrd, startApiServer, type ApiServer } from '../support/api-server.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { eventually } from '../support/node.ts';

const namespaced = '/apis/runlet.dev/v1alpha1/namespaces/default/nodetasks';

function statusOf(state: NodeTaskStatus['state'], ready: 'True' | 'False', generation = 1): NodeTaskStatus {
  return {
    observedGeneration: generation,
    ...(state ? { state } : {}),
    restartCount: 0,
    lastTermination: { exitStatus: 1, reason: 'Error', oomKills: 0, peakMemoryBytes: 4096 },
    resources: { limits: { cpu: '500m', memory: '64Mi' } },
    conditions: [
      {
        type: 'Ready',
        status: ready,
        reason: ready === 'True' ? 'Running' : 'Pending',
        message: 'all is well',
        observedGeneration: generation,
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
  };
}

const appears = async (cluster: Cluster, name: string): Promise<ObjectIdentity> => {
  const found = await eventually(
    () => cluster.source.get(`default/${name}`),
    (object) => object?.confirmed === true,
    `${name} is heard of`,
  );
  if (!found) throw new Error('unreachable');
  return found;
};

const vanishes = async (cluster: Cluster, name: string) =>
  await eventually(
    () => cluster.source.get(`default/${name}`),
    (object) => object === undefined,
    `${name} is gone`,
  );

function countPatches(proxy: FaultProxy, part: string): number {
  return proxy.requests.filter(({ method, path }) => method === 'PATCH' && path.includes(part)).length;
}

describe.each(['plain', 'modern'] as const)('a cluster with a %s API server', (kind) => {
  let server: ApiServer;
  let proxy: FaultProxy;
  let folder: string;
  let node: string;
  let serial = 0;
  const open: Cluster[] = [];

  beforeAll(async () => {
    server = await startApiServer({ kind, crds: ['nodetasks'] });
  });

  afterAll(async () => await server[Symbol.asyncDispose]());

  beforeEach(async () => {
    serial += 1;
    node = `node-${serial}`;
    folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
    const certificate = server.authority.sign(`proxy-${serial}`, '/CN=proxy');
    proxy = await FaultProxy.start({ target: server.url, targetCa: server.caFile, certificate });
  });

  afterEach(async () => {
    for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  async function connect(user = admin): Promise<Cluster> {
    const cluster = await openCluster({
      access: { server: proxy.url, insecure: false, ca: { file: server.caFile }, token: { text: user.token } },
      nodeName: node,
      folder,
      podSecurityDefault: 'baseline',
      clock: systemClock,
      log: silentLog(),
    });
    open.push(cluster);
    return cluster;
  }

  async function disconnect(cluster: Cluster): Promise<void> {
    open.splice(open.indexOf(cluster), 1);
    await cluster[Symbol.asyncDispose]();
  }

  async function create(name: string, spec: object = {}): Promise<void> {
    const whole = { nodeName: node, image: 'busybox:1', command: ['sh'], ...spec };
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name }, spec: whole };
    const { status, body } = await server.request('POST', namespaced, object);
    expect(status, JSON.stringify(body)).toBe(201);
  }

  const readStatus = async (name: string) =>
    (await server.request('GET', `${namespaced}/${name}`)).body['status'] as NodeTaskStatus | undefined;

  it('gives objects with their generation, tells of changes, and keeps the last valid version of one that turned invalid', async () => {
    const cluster = await connect();
    const told: string[] = [];
    cluster.source.subscribe((change) => told.push(change.kind === 'object' ? change.key : change.kind));
    await create('one', { runState: 'Paused' });
    await appears(cluster, 'one');
    expect(cluster.source.get('default/one')).toMatchObject({ generation: 1, deleting: false, problems: [] });
    expect(cluster.source.get('default/one')?.task?.spec.runState).toBe('Paused');
    expect(told).toContain('synced');
    expect(told).toContain('default/one');
    const spec = { stopSignal: 'NONSENSE' };
    const { status } = await server.request('PATCH', `${namespaced}/one`, { spec }, 'application/merge-patch+json');
    expect(status).toBe(server.modern ? 422 : 200);
    if (server.modern) return;
    await eventually(
      () => cluster.source.get('default/one')?.problems,
      (problems) => problems?.[0]?.path === 'spec.stopSignal',
      'the problem is told',
    );
    expect(cluster.source.get('default/one')?.task?.spec.stopSignal).toBeUndefined();
  });

  it('writes a status so that kubectl shows it and waits for it, and nothing that is there already', async () => {
    let cluster = await connect();
    await create('shown');
    const object = await appears(cluster, 'shown');
    cluster.sink.status(object, statusOf('Running', 'True'), { urgent: false });
    await server.kubectl(['wait', '--for=condition=Ready', 'nodetasks.runlet.dev/shown', '--timeout=60s']);
    await server.kubectl([
      'wait',
      '--for=jsonpath={.status.state}=Running',
      'nodetasks.runlet.dev/shown',
      '--timeout=60s',
    ]);
    const line = (await server.kubectl(['get', 'rlt', 'shown', '--no-headers'])).trim().split(/\s+/);
    expect(line.slice(0, 6)).toEqual(['shown', node, 'Running', 'True', 'Running', '0']);
    const before = countPatches(proxy, '/shown/');
    cluster.sink.status(object, statusOf('Running', 'True'), { urgent: true });
    // an agent that begins anew writes only what differs
    await disconnect(cluster);
    cluster = await connect();
    const again = await appears(cluster, 'shown');
    cluster.sink.status(again, statusOf('Running', 'True'), { urgent: true });
    cluster.sink.status(again, statusOf('Paused', 'True'), { urgent: true });
    await eventually(
      () => readStatus('shown'),
      (status) => status?.state === 'Paused',
      'the new state is written',
    );
    expect(countPatches(proxy, '/shown/') - before).toBe(1);
    const owners = await server.kubectl(['get', 'rlt', 'shown', '-o', 'json', '--show-managed-fields']);
    expect(owners).toContain('"manager": "runlet-agent"');
  });

  it('writes at most once a second, the newest only, and an end at once', async () => {
    const cluster = await connect();
    await create('busy');
    const object = await appears(cluster, 'busy');
    for (let n = 1; n <= 20; n += 1) cluster.sink.status(object, statusOf('Pending', 'False', n), { urgent: false });
    await eventually(
      () => readStatus('busy'),
      (status) => status?.observedGeneration === 20,
      'the newest',
    );
    expect(countPatches(proxy, '/busy/status')).toBeLessThanOrEqual(2);
    const began = performance.now();
    cluster.sink.status(object, statusOf('Running', 'True', 21), { urgent: false });
    cluster.sink.status(object, statusOf('Stopped', 'False', 22), { urgent: true });
    await eventually(
      () => readStatus('busy'),
      (status) => status?.observedGeneration === 22,
      'the end',
    );
    expect(countPatches(proxy, '/busy/status')).toBeLessThanOrEqual(3);
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  it('never writes the status of a namesake', async () => {
    const cluster = await connect();
    await create('twin');
    const old = await appears(cluster, 'twin');
    await server.request('DELETE', `${namespaced}/twin`);
    await create('twin');
    cluster.sink.status(old, statusOf('Running', 'True'), { urgent: true });
    await eventually(
      () => proxy.requests.filter(({ path }) => path.includes('/twin')).length,
      (count) => count > 0,
      'the write is tried',
    );
    await eventually(
      () => cluster.source.get('default/twin')?.uid,
      (uid) => uid !== old.uid,
      'the twin is heard of',
    );
    const twin = await appears(cluster, 'twin');
    cluster.sink.status(twin, statusOf('Stopped', 'False', 7), { urgent: true });
    await eventually(
      () => readStatus('twin'),
      (status) => status !== undefined,
      'the twin has a status',
    );
    expect(await readStatus('twin')).toMatchObject({ state: 'Stopped', observedGeneration: 7 });
  });

  it('holds an object by its finalizer until it is released', async () => {
    const cluster = await connect();
    await create('held');
    const object = await appears(cluster, 'held');
    // somebody else writes at the same time
    await server.kubectl(['annotate', 'rlt', 'held', 'who=me']);
    await cluster.sink.claim(object);
    await cluster.sink.claim(object);
    const finalizers = async () =>
      ((await server.request('GET', `${namespaced}/held`)).body['metadata'] as { finalizers?: string[] }).finalizers;
    expect(await finalizers()).toEqual(['runlet.dev/cleanup']);
    await server.kubectl([
      'patch',
      'rlt',
      'held',
      '--type=json',
      '-p',
      '[{"op":"add","path":"/metadata/finalizers/0","value":"example.com/other"}]',
    ]);
    await server.kubectl(['delete', 'rlt', 'held', '--wait=false']);
    await eventually(
      () => cluster.source.get('default/held')?.deleting,
      (deleting) => deleting === true,
      'it is going',
    );
    await expect(cluster.sink.claim({ ...object, uid: 'another' })).rejects.toMatchObject({ code: 'unavailable' });
    await cluster.sink.release(object);
    expect(await finalizers()).toEqual(['example.com/other']);
    await server.kubectl(['patch', 'rlt', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    await vanishes(cluster, 'held');
    await cluster.sink.release(object);
  });

  it('takes nothing for gone because a server does not know our kinds yet', async () => {
    const cluster = await connect();
    await create('there');
    const object = await appears(cluster, 'there');
    await cluster.sink.claim(object);
    await server.kubectl(['delete', 'rlt', 'there', '--wait=false']);
    await eventually(
      () => cluster.source.get('default/there')?.deleting,
      (deleting) => deleting === true,
      'it is going',
    );
    let answered = 0;
    proxy.fault = ({ path }) => {
      if (!path.includes('/there')) return undefined;
      answered += 1;
      return { kind: 'answer', status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found' };
    };
    await expect(cluster.sink.release(object)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(cluster.sink.delete(object)).rejects.toMatchObject({ code: 'unavailable' });
    const before = answered;
    cluster.sink.status(object, statusOf('Stopped', 'False'), { urgent: true });
    await eventually(
      () => answered,
      (count) => count > before,
      'the status is tried',
    );
    proxy.fault = () => undefined;
    await eventually(
      () => readStatus('there'),
      (status) => status?.state === 'Stopped',
      'the status is written',
    );
    await cluster.sink.release(object);
    await vanishes(cluster, 'there');
  });

  it('deletes an object only as it was last heard of, and never a namesake', async () => {
    const cluster = await connect();
    await create('finished');
    const object = await appears(cluster, 'finished');
    await expect(cluster.sink.delete({ ...object, uid: '00000000-0000-0000-0000-000000000000' })).rejects.toMatchObject(
      {
        code: 'unavailable',
      },
    );
    await cluster.sink.delete(object);
    await vanishes(cluster, 'finished');
    await cluster.sink.delete(object);
  });

  it('keeps its objects on disk, and learns of what went while it and the server were away', async () => {
    const first = await connect();
    await create('stays');
    await create('goes');
    await appears(first, 'stays');
    await appears(first, 'goes');
    await disconnect(first);
    await proxy.down();
    await server.request('DELETE', `${namespaced}/goes`);
    const second = await connect();
    expect(second.source.keys().toSorted()).toEqual(['default/goes', 'default/stays']);
    expect(second.source.get('default/stays')).toMatchObject({ confirmed: false });
    expect(second.source.get('default/stays')?.task?.spec.image).toBe('busybox:1');
    expect([second.source.synced, second.connected]).toEqual([false, false]);
    const told: string[] = [];
    second.source.subscribe((change) => told.push(change.kind === 'object' ? change.key : change.kind));
    await proxy.up();
    await eventually(
      () => second.source.synced,
      (synced) => synced,
      'everything is read',
    );
    expect(second.source.keys()).toEqual(['default/stays']);
    expect(second.source.get('default/stays')).toMatchObject({ confirmed: true });
    expect(told).toEqual(['default/stays', 'default/goes', 'synced']);
  });

  it('writes the latest status of an outage when the server is back', async () => {
    const cluster = await connect();
    await create('away');
    const object = await appears(cluster, 'away');
    await proxy.down();
    cluster.sink.status(object, statusOf('Running', 'True', 2), { urgent: true });
    cluster.sink.status(object, statusOf('Stopped', 'False', 3), { urgent: true });
    await proxy.up();
    await eventually(
      () => readStatus('away'),
      (status) => status?.observedGeneration === 3,
      'the latest status',
    );
    expect(await readStatus('away')).toMatchObject({ state: 'Stopped' });
  });

  it('tells of events so that kubectl shows them with their object, equal ones once', async () => {
    const cluster = await connect();
    await create('told');
    const object = await appears(cluster, 'told');
    for (let n = 0; n < 3; n += 1)
      cluster.sink.event(object, { type: 'Normal', reason: 'Started', note: 'started it' });
    cluster.sink.event(object, { type: 'Warning', reason: 'PullFailed', note: 'no\u001b[31m such image' });
    const rows = await eventually(
      async () =>
        await server.kubectl(['get', 'events.events.k8s.io', '--field-selector=regarding.name=told', '-o', 'json']),
      (text) => text.includes('PullFailed'),
      'the events',
    );
    const { items } = JSON.parse(rows) as { items: { reason: string; note: string; reportingInstance: string }[] };
    expect(Object.fromEntries(items.map(({ reason, note }) => [reason, note]))).toEqual({
      PullFailed: 'no [31m such image',
      Started: 'started it',
    });
    expect(items).toHaveLength(2);
    expect(items[0]?.reportingInstance).toBe(node);
    expect(await server.kubectl(['describe', 'rlt', 'told'])).toContain('started it');
  });

  it('reads a namespace’s level, keeps it for an outage, and takes what it may not read for restricted', async () => {
    const cluster = await connect();
    const name = `level-${node}`;
    await server.kubectl(['create', 'namespace', name]);
    await server.kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=privileged']);
    expect(await cluster.source.podSecurityLevel(name)).toBe('privileged');
    expect(await cluster.source.podSecurityLevel('default')).toBe('baseline');
    expect(await cluster.source.podSecurityLevel('none')).toBe('restricted');
    await disconnect(cluster);
    await proxy.down();
    const second = await connect();
    expect(await second.source.podSecurityLevel(name)).toBe('privileged');
    expect(await second.source.podSecurityLevel('unknown')).toBe('restricted');
    await proxy.up();
  });

  it('needs no more rights than the documentation names', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const rules = [
      { apiGroups: ['runlet.dev'], resources: ['nodetasks'], verbs: ['get', 'list', 'watch', 'patch', 'delete'] },
      { apiGroups: ['runlet.dev'], resources: ['nodetasks/status'], verbs: ['patch'] },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
      { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    ];
    await server.request('POST', `${rbac}/clusterroles`, { metadata: { name: 'runlet' }, rules });
    await server.request('POST', `${rbac}/clusterrolebindings`, {
      metadata: { name: 'runlet' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'runlet' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: agentUser.name }],
    });
    const cluster = await connect(agentUser);
    await create('modest');
    const object = await appears(cluster, 'modest');
    await cluster.sink.claim(object);
    cluster.sink.event(object, { type: 'Normal', reason: 'Modest', note: 'asked for little' });
    cluster.sink.status(object, statusOf('Running', 'True'), { urgent: true });
    await server.kubectl(['wait', '--for=condition=Ready', 'nodetasks.runlet.dev/modest', '--timeout=60s']);
    expect(await cluster.source.podSecurityLevel('default')).toBe('baseline');
    await eventually(
      async () => await server.kubectl(['get', 'events.events.k8s.io']),
      (text) => text.includes('asked for little'),
      'the event',
    );
    await expect(cluster.source.config.secret('default', 'any')).rejects.toThrow('grant the agent');
    // a delete is of the version last heard of, which the writes above have made old
    await eventually(
      async () => await cluster.sink.delete(object).then(String, () => 'refused'),
      (outcome) => outcome !== 'refused',
      'the object is deleted',
    );
    await cluster.sink.release(object);
    await vanishes(cluster, 'modest');
  });

  it('reads ConfigMaps and Secrets as bytes', async () => {
    const { config } = (await connect()).source;
    await server.kubectl(['create', 'configmap', node, '--from-literal=a=ä']);
    await server.kubectl(['create', 'secret', 'generic', node, '--from-literal=b=geheim']);
    expect(Buffer.from((await config.configMap('default', node))?.get('a') ?? []).toString()).toBe('ä');
    expect(Buffer.from((await config.secret('default', node))?.get('b') ?? []).toString()).toBe('geheim');
    expect(await config.configMap('default', 'none')).toBeUndefined();
  });
});

describe('a cluster whose CRD is older than the agent', () => {
  it.each(['plain', 'modern'] as const)(
    'still gets the fields of status that it declares, on a %s server',
    async (kind) => {
      await using server = await startApiServer({ kind, crds: [] });
      const crd = readCrd('nodetasks');
      removeProperty(crd, 'lastTermination');
      removeProperty(crd, 'observedGeneration');
      await server.installCrds([crd]);
      const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
      try {
        await using cluster = await openCluster({
          access: { server: server.url, insecure: false, ca: { file: server.caFile }, token: { text: admin.token } },
          nodeName: 'a',
          folder,
          podSecurityDefault: 'baseline',
          clock: systemClock,
          log: silentLog(),
        });
        const spec = { nodeName: 'a', image: 'busybox:1' };
        const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'x' }, spec };
        expect((await server.request('POST', namespaced, object)).status).toBe(201);
        const known = await eventually(
          () => cluster.source.get('default/x'),
          (found) => found !== undefined,
          'x is heard of',
        );
        expect(cluster.notes().filter((note) => note.includes('status.'))).toEqual([]);
        cluster.sink.status(known as ObjectIdentity, statusOf('Running', 'True'), { urgent: true });
        await server.kubectl(['wait', '--for=condition=Ready', 'nodetasks.runlet.dev/x', '--timeout=60s']);
        await eventually(
          () => cluster.notes().join('\n'),
          (notes) => notes.includes('status.lastTermination') && notes.includes('status.observedGeneration'),
          'the notes name what is left out',
        );
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

function removeProperty(node: unknown, name: string): void {
  if (typeof node !== 'object' || node === null) return;
  const { properties } = node as { readonly properties?: Record<string, unknown> };
  if (properties) delete properties[name];
  for (const child of Object.values(node)) removeProperty(child, name);
}
