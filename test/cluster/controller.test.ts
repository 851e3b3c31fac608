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

beforeAll(async () => {
  server = await startApiServer({ kind: 'plain' });
  await server.request('POST', '/api/v1/namespaces', { metadata: { name: 'runlet-system' } });
});
afterAll(async () => {
  await Promise.all(controllers.map(end));
  await server[Symbol.asyncDispose]();
});

function controller(...flags: readonly string[]): ChildProcess {
  const kubeconfig = server.kubeconfig(admin);
  const args = [main, 'controller', ...flags, '--kubeconfig', kubeconfig, '--grace', '2s'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'] },
  });
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
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  readonly state?: string;
}

async function ready(name: string): Promise<string> {
  const { body } = await server.request('GET', `${tasks}/${name}`);
  const { conditions = [] } = (body['status'] ?? {}) as Read;
  const found = conditions.find(({ type }) => type === 'Ready');
  return found ? `${found.status}/${found.reason}` : '';
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
      (said) => said !== '',
      'the second one leads',
    );
    expect(text).toBe('Unknown/AgentLost');
  });

  it('tells whether an installation works', async () => {
    const child = controller('check');
    const [data] = (await once(child.stdout!, 'data')) as [Buffer];
    await once(child, 'exit');
    expect(data.toString()).toMatch(/agents are not ready|every kind is served/);
  });

  it('frees every object once the agents are gone', async () => {
    for (const node of ['silent', 'well']) {
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
