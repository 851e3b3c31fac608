import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { eventually } from '../support/node.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
const labels = { 'app.kubernetes.io/name': 'runlet', 'app.kubernetes.io/component': 'agent' };
const tasks = '/apis/runlet.dev/v1alpha1/namespaces/default/nodetasks';
const execs = '/apis/runlet.dev/v1alpha1/namespaces/default/nodetaskexecs';

let server: ApiServer;
let controllers: ChildProcess[] = [];
/** What each has logged. */
const said = new Map<ChildProcess, string>();

beforeAll(async () => {
  server = await startApiServer({ kind: 'plain' });
  await server.request('POST', '/api/v1/namespaces', { metadata: { name: 'runlet-system' } });
});
afterAll(async () => {
  await Promise.all(controllers.map(end));
  await server[Symbol.asyncDispose]();
});

function controller(...flags: readonly string[]): ChildProcess {
  return named('', ...flags);
}

/** One whose pod has this name. */
function named(pod: string, ...flags: readonly string[]): ChildProcess {
  const kubeconfig = server.kubeconfig(admin);
  const args = [main, 'controller', ...flags, '--kubeconfig', kubeconfig, '--grace', '2s'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...(pod ? { POD_NAME: pod } : {}) },
  });
  said.set(child, '');
  child.stderr?.on('data', (data: Buffer) => void said.set(child, `${said.get(child) ?? ''}${data.toString()}`));
  controllers.push(child);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  controllers = controllers.filter((each) => each !== child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

async function makeNode(name: string): Promise<void> {
  await server.request('POST', '/api/v1/nodes', { metadata: { name } });
}

/** A pod of an agent, with the status that kubelet would write. */
async function agentOn(node: string, isReady: boolean): Promise<void> {
  const pods = '/api/v1/namespaces/runlet-system/pods';
  const container = { name: 'agent', image: 'runlet' };
  const metadata = { name: `agent-${node}`, labels };
  // Without a controller that makes service accounts, a pod must do without its token.
  const spec = { nodeName: node, containers: [container], automountServiceAccountToken: false };
  await server.request('POST', '/api/v1/namespaces/runlet-system/serviceaccounts', { metadata: { name: 'default' } });
  await server.request('POST', pods, { metadata, spec });
  const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }];
  const patched = await server.request(
    'PATCH',
    `${pods}/agent-${node}/status`,
    { status: { conditions } },
    'application/merge-patch+json',
  );
  expect(patched.status).toBe(200);
}

async function task(name: string, nodeName: string): Promise<void> {
  const made = await server.request('POST', tasks, {
    apiVersion: 'runlet.dev/v1alpha1',
    kind: 'NodeTask',
    metadata: { name, finalizers: ['runlet.dev/cleanup'] },
    spec: { nodeName, image: 'docker.io/library/busybox:1' },
  });
  expect(made.status).toBe(201);
}

interface Read {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly state?: string;
}

async function ready(name: string): Promise<string> {
  const found = await readyCondition(name);
  return found ? `${found.status}/${found.reason}` : '';
}

async function readyCondition(name: string) {
  const { body } = await server.request('GET', `${tasks}/${name}`);
  const { conditions = [] } = (body['status'] ?? {}) as Read;
  return conditions.find(({ type }) => type === 'Ready');
}

interface Wanted {
  readonly metadata: { readonly finalizers?: readonly string[] };
  readonly spec: { readonly runState?: string };
}

interface LeaseRead {
  readonly holderIdentity?: string;
  readonly leaseTransitions?: number;
}

function isOf(holders: readonly string[]): (lease: LeaseRead) => boolean {
  return ({ holderIdentity = '' }) => holders.includes(holderIdentity);
}

function condition(status: string, reason: string): object {
  return {
    type: 'Ready',
    status,
    reason,
    message: 'It runs.',
    lastTransitionTime: '2026-01-01T00:00:00Z',
    observedGeneration: 1,
  };
}

describe('the controller', () => {
  it('speaks for agents that are silent, and for no other', async () => {
    await makeNode('silent');
    await makeNode('well');
    await agentOn('silent', false);
    await agentOn('well', true);
    await task('on-silent', 'silent');
    await task('on-well', 'well');
    await task('nowhere', 'no-such-node');
    const exec = await server.request('POST', execs, {
      apiVersion: 'runlet.dev/v1alpha1',
      kind: 'NodeTaskExec',
      metadata: { name: 'e' },
      spec: { nodeName: 'silent', taskName: 'on-silent', command: ['true'] },
    });
    expect(exec.status).toBe(201);
    controller();
    await eventually(
      () => ready('on-silent'),
      (text) => text === 'Unknown/AgentLost',
      'the silent node’s task',
    );
    await eventually(
      () => ready('nowhere'),
      (text) => text === 'Unknown/AgentLost',
      'the task of no node',
    );
    await eventually(
      async () => ((await server.request('GET', `${execs}/e`)).body['status'] as Read | undefined)?.state,
      (state) => state === 'Unknown',
      'the request’s outcome',
    );
    expect(await ready('on-well')).toBe('');
    expect((await readyCondition('on-silent'))?.message).toMatch(
      /^No agent on node silent has been ready for 2 seconds/,
    );
    expect((await readyCondition('nowhere'))?.message).toMatch(/^There is no node no-such-node: name a node/);
  });

  it('frees what is deleted on a node that is gone, and holds what is on one that may come back', async () => {
    await server.request('DELETE', `${tasks}/nowhere`);
    await server.request('DELETE', `${tasks}/on-silent`);
    await eventually(
      async () => (await server.request('GET', `${tasks}/nowhere`)).status,
      (status) => status === 404,
      'the object is gone',
    );
    expect((await server.request('GET', `${tasks}/on-silent`)).status).toBe(200);
    await server.request('DELETE', '/api/v1/nodes/silent');
    await eventually(
      async () => (await server.request('GET', `${tasks}/on-silent`)).status,
      (status) => status === 404,
      'the object of the node that went is gone',
    );
  });

  it('is followed by another when it leaves', async () => {
    const second = controller();
    await Promise.all(controllers.filter((each) => each !== second).map(end));
    await task('later', 'another-node');
    const text = await eventually(
      () => ready('later'),
      (reached) => reached !== '',
      'the second one leads',
    );
    expect(text).toBe('Unknown/AgentLost');
  });

  it('is followed by another when it is killed, and of several only one acts', { timeout: 180_000 }, async () => {
    await Promise.all(controllers.map(end));
    const pods = ['one', 'two', 'three'];
    const children = new Map(pods.map((pod) => [pod, named(pod, '--lease', 'of-three')]));
    const lease = '/apis/coordination.k8s.io/v1/namespaces/runlet-system/leases/of-three';
    const spec = async () => ((await server.request('GET', lease)).body['spec'] ?? {}) as LeaseRead;
    const { holderIdentity: first = '' } = await eventually(spec, isOf(pods), 'a leader', 120_000);
    const acted = () => pods.filter((pod) => said.get(children.get(pod)!)?.includes('"action"'));
    await task('of-the-first', 'not-there');
    await eventually(
      async () => await ready('of-the-first'),
      (text) => text === 'Unknown/AgentLost',
      'the first acts',
    );
    expect(await eventually(acted, (found) => found.length > 0, 'the first says so')).toEqual([first]);
    children.get(first)?.kill('SIGKILL');
    const others = pods.filter((pod) => pod !== first);
    const { holderIdentity: next = '', leaseTransitions } = await eventually(spec, isOf(others), 'another', 120_000);
    expect(leaseTransitions).toBe(1);
    await task('of-the-next', 'not-there-either');
    await eventually(
      async () => await ready('of-the-next'),
      (text) => text === 'Unknown/AgentLost',
      'the next acts',
    );
    // It logs after it has written.
    const two = await eventually(acted, (found) => found.length > 1, 'the next says so');
    expect(two.toSorted()).toEqual([first, next].toSorted());
  });

  it('has its word replaced by that of an agent that returns', async () => {
    await task('returning', 'silent-for-now');
    await eventually(
      async () => await ready('returning'),
      (text) => text === 'Unknown/AgentLost',
      'it is lost',
    );
    await makeNode('silent-for-now');
    await agentOn('silent-for-now', true);
    const status = { state: 'Running', conditions: [condition('True', 'Running')] };
    const body = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'returning' }, status };
    const how = 'fieldManager=runlet-agent&force=true';
    const path = `${tasks}/returning/status?${how}`;
    expect((await server.request('PATCH', path, body, 'application/apply-patch+yaml')).status).toBe(200);
    await task('later-still', 'nowhere-at-all');
    await eventually(
      async () => await ready('later-still'),
      (text) => text === 'Unknown/AgentLost',
      'another round',
    );
    expect(await ready('returning')).toBe('True/Running');
    // It goes, so that nobody waits for it later: this agent is a pod and nothing more.
    const free = { metadata: { finalizers: null } };
    await server.request('PATCH', `${tasks}/returning`, free, 'application/merge-patch+json');
    await server.request('DELETE', `${tasks}/returning`);
  });

  it('tells whether an installation works', async () => {
    const child = controller('check');
    const [data] = (await once(child.stdout!, 'data')) as [Buffer];
    await once(child, 'exit');
    expect(data.toString()).toMatch(/agents are not ready|every kind is served/);
  });

  it('stops tasks where agents answer, and waits neither for nodes without one nor for what is not valid', async () => {
    await task('answering', 'well');
    await task('unheard', 'silent-and-gone');
    const status = {
      state: 'Running',
      containerID: 'runlet://k8s.default/x',
      conditions: [condition('True', 'Running')],
    };
    const merge = 'application/merge-patch+json';
    for (const name of ['answering', 'unheard'])
      await server.request('PATCH', `${tasks}/${name}/status`, { status }, merge);
    const child = controller('stop', '--timeout', '60s');
    const ended = once(child, 'exit') as Promise<[number]>;
    const wanted = async (name: string) => (await server.request('GET', `${tasks}/${name}`)).body as unknown as Wanted;
    await eventually(
      async () => (await wanted('answering')).spec.runState,
      (runState) => runState === 'Stopped',
      'it is asked to stop',
    );
    expect((await wanted('answering')).metadata.finalizers).toEqual(['runlet.dev/cleanup']);
    // As the agent does: it says so, is let go, and keeps no container.
    await server.request('PATCH', `${tasks}/answering/status`, { status: { state: 'Stopped' } }, merge);
    await eventually(
      async () => (await wanted('answering')).metadata.finalizers ?? [],
      (finalizers) => finalizers.length === 0,
      'it is let go',
    );
    expect(child.exitCode).toBeNull();
    await server.request('PATCH', `${tasks}/answering/status`, { status: { containerID: null } }, merge);
    expect(await ended).toEqual([0, null]);
    expect((await wanted('unheard')).spec.runState).toBe('Stopped');
  });

  it('frees every object once the agents are gone', async () => {
    for (const node of ['silent', 'well', 'silent-for-now']) {
      await server.request('DELETE', `/api/v1/namespaces/runlet-system/pods/agent-${node}`, { gracePeriodSeconds: 0 });
    }
    const child = controller('release', '--timeout', '60s');
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
    const { body } = await server.request('GET', tasks);
    const items = body['items'] as readonly { readonly metadata: { readonly finalizers?: readonly string[] } }[];
    expect(items.flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
  });
});
